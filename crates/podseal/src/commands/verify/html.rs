//! The report as one page, which loads nothing and runs nothing.

use std::fmt::Write as _;

use podseal_core::verify::document::{Document, Row};
use podseal_core::verify::{Goal, Verdict};

use super::human;
use crate::commands::status::processes;

mod picture;

const STYLE: &str = include_str!("html/style.css");

pub(super) fn page(document: &Document) -> String {
    let unit = escape(&document.unit);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'unsafe-inline'\">\n<title>{unit}: podseal verify</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n<h1>{unit}</h1>\n<p class=\"banner {}\">{}</p>\n",
        class(document.verdict),
        escape(&human::headline(document))
    );
    // Writing to a string does not fail.
    if !document.has_container() {
        let _ = writeln!(page, "<p>{}</p>", human::NO_CONTAINER);
    }
    for stop in &document.places {
        if let Some(failure) = &stop.failure {
            let _ = writeln!(
                page,
                "<p>Nothing could be tried in the place of {}: {}</p>",
                stop.place,
                escape(failure)
            );
        }
    }
    let _ = write!(
        page,
        "<h2>Who may talk to whom</h2>\n<figure style=\"margin:0\">{}{}</figure>\n",
        picture::picture(document),
        picture::key()
    );
    for goal in Goal::ALL {
        section(&mut page, document, goal);
    }
    running(&mut page, document);
    let risks = document.residual_risks.iter();
    let risks = risks.map(|risk| format!("<li>{}</li>\n", escape(risk)));
    let _ = write!(
        page,
        "<h2>What level {} leaves open in any case</h2>\n<ul>\n{}</ul>\n\
         <footer>podseal {}: every way was also tried without a seal; where it works there and \
         fails under the seal, the seal has closed it.</footer>\n</body>\n</html>\n",
        escape(&document.level),
        risks.collect::<String>(),
        env!("CARGO_PKG_VERSION")
    );
    page
}

/// The service itself, and what each of its processes is under.
fn running(page: &mut String, document: &Document) {
    let running = &document.running;
    let class = running.verdict.map_or("inconclusive", class);
    let _ = writeln!(
        page,
        "<h2 id=\"running\">The running service</h2>\n<p class=\"{class}\"><strong>{}</strong></p>",
        escape(human::running_headline(document))
    );
    for problem in &running.problems {
        let _ = writeln!(
            page,
            "<p>{} (<code>{}</code>). Fix: {}</p>",
            escape(&problem.message),
            escape(problem.id),
            escape(&problem.fix)
        );
    }
    if running.verdict.is_none() {
        return;
    }
    let mut item = |name: &str, parts: &[String]| {
        let rows = parts
            .iter()
            .map(|part| format!("<li>{}</li>", escape(part)));
        let _ = writeln!(
            page,
            "<details><summary>{}</summary><ul>{}</ul></details>",
            escape(name),
            rows.collect::<String>()
        );
    };
    for (what, copy) in human::copies(document) {
        item(what, &processes::restrictions(copy));
    }
    for process in &running.processes {
        let mut parts = processes::restrictions(&process.restrictions).to_vec();
        let held = processes::held(process, &running.sockets);
        parts.extend(if held.is_empty() {
            vec!["no internet sockets".to_owned()]
        } else {
            held
        });
        item(&processes::name(process), &parts);
    }
}

/// All ways that lead to a goal, and the evidence.
fn section(page: &mut String, document: &Document, goal: Goal) {
    let title = match goal {
        Goal::Network => "By a socket of its own",
        Goal::Socket => "By a socket that was handed over",
        Goal::Kernel => "To the kernel by netlink",
        Goal::Processes => "To other processes of the user",
        Goal::Host => "To who starts programs for the user",
        Goal::Container => "Out of the container",
    };
    let _ = writeln!(page, "<h2 id=\"{}\">{title}</h2>", anchor(goal));
    let mut rows = document
        .probes
        .iter()
        .filter(|r| r.leads_to == goal)
        .peekable();
    if rows.peek().is_none() {
        page.push_str("<p class=\"inconclusive\">No way there was tried.</p>\n");
    }
    for row in rows {
        details(page, row);
    }
}

fn details(page: &mut String, row: &Row) {
    let verdicts = row.findings.iter().map(|finding| finding.verdict);
    let worst = [
        Verdict::Open,
        Verdict::Accepted,
        Verdict::Inconclusive,
        Verdict::Closed,
    ]
    .into_iter()
    .find(|verdict| verdicts.clone().any(|found| found == *verdict))
    .unwrap_or(Verdict::Inconclusive);
    let word = if row.is_absent && worst == Verdict::Inconclusive {
        "not here".to_owned()
    } else {
        worst.to_string()
    };
    let open = if worst == Verdict::Open { " open" } else { "" };
    let _ = write!(
        page,
        "<details{open}><summary><b class=\"{}\">{word}</b>{}</summary><dl>\
         <dt>without a seal</dt><dd>{}</dd>",
        class(worst),
        escape(&row.title),
        escape(&row.control.text)
    );
    for finding in &row.findings {
        let given_up = human::given_up(finding).map_or_else(String::new, |why| format!(": {why}"));
        let _ = write!(
            page,
            "<dt>{}: <span class=\"{}\">{}{given_up}</span></dt><dd>{}</dd>",
            finding.place,
            class(finding.verdict),
            finding.verdict,
            escape(&finding.evidence.text)
        );
    }
    let promise = match &row.closed_by {
        Some(level) => format!("closed from level {} on", escape(level)),
        None => "closed by no level".to_owned(),
    };
    let _ = writeln!(
        page,
        "<dt>promise</dt><dd>{promise} (<code>{}</code>)</dd></dl></details>",
        escape(&row.id)
    );
}

const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Closed => "closed",
        Verdict::Accepted => "accepted",
        Verdict::Open => "open",
        Verdict::Inconclusive => "inconclusive",
    }
}

const fn anchor(goal: Goal) -> &'static str {
    match goal {
        Goal::Network => "network",
        Goal::Socket => "socket",
        Goal::Kernel => "kernel",
        Goal::Processes => "processes",
        Goal::Host => "host",
        Goal::Container => "container",
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use podseal_core::policy::seal::Seal;
    use podseal_core::probe::{Outcome, PROBES, ProbeReport, ProbeResult};
    use podseal_core::status::Problem;
    use podseal_core::status::facts::{Copies, Process, Relation, Restrictions, Role};
    use podseal_core::verify::Place;
    use podseal_core::verify::running::Running;

    use super::*;

    fn report(of: impl Fn(&str) -> Outcome) -> ProbeReport {
        let results = PROBES.iter().map(|probe| ProbeResult {
            id: probe.id.to_owned(),
            outcome: of(probe.id),
            evidence: None,
        });
        ProbeReport {
            version: ProbeReport::VERSION,
            results: results.collect(),
            process: None,
        }
    }

    fn example() -> String {
        let control = report(|_| Outcome::Succeeded);
        let sealed = report(|id| match id {
            "io-uring" | "relisten" => Outcome::Succeeded,
            _ => Outcome::Refused { errno: 13 },
        });
        let reports = [
            (Place::Podman, Ok(sealed.clone())),
            (Place::OciRuntime, Ok(sealed)),
            (
                Place::Container,
                Err("no <image> & \"none\"".to_owned().into()),
            ),
        ];
        let restrictions = Restrictions {
            no_new_privs: true,
            seccomp: 2,
            filters: Some(3),
            user_namespace: Relation::Pause,
            network_namespace: Relation::Own,
        };
        let running = Running {
            verdict: Some(Verdict::Open),
            copies: Some(Copies {
                host: None,
                container: Some(restrictions),
            }),
            processes: vec![Process {
                pid: 7,
                parent: 1,
                comm: "<x>".to_owned(),
                role: Role::Container,
                is_descendant: true,
                started: 0,
                restrictions: Restrictions {
                    filters: Some(2),
                    ..restrictions
                },
                has_capabilities: true,
                sockets: Some(Vec::new()),
            }],
            sockets: Vec::new(),
            problems: vec![Problem {
                id: "process-unsealed",
                is_less: true,
                message: "process 7 (<x>) has 2 system-call filters".to_owned(),
                fix: "restart it".to_owned(),
            }],
        };
        let seal = Seal::default();
        page(&Document::new(
            "a&b.service",
            &seal,
            &control,
            &reports,
            running,
        ))
    }

    /// Tags in their order; those that have no end are left out.
    fn tags(page: &str) -> Vec<&str> {
        let parts = page.split('<').skip(1);
        let tags = parts.map(|part| part.split('>').next().unwrap_or(part));
        let is_alone = |tag: &&str| {
            tag.ends_with('/')
                || ["!DOCTYPE", "meta"]
                    .iter()
                    .any(|name| tag.starts_with(name))
        };
        tags.filter(|tag| !is_alone(tag)).collect()
    }

    #[test]
    fn every_tag_is_closed() {
        let page = example();
        let mut open = Vec::new();
        for tag in tags(&page) {
            let name = tag.split_whitespace().next().unwrap_or_default();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "</{name}>"),
                None => open.push(name),
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn it_loads_and_runs_nothing() {
        let page = example();
        for word in [
            "http:", "https:", "src=", "<script", "<link", "url(", "@import", "onclick",
        ] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("default-src 'none'"));
        assert!(page.contains("no &lt;image&gt; &amp; &quot;none&quot;"));
        assert!(page.contains("<h1>a&amp;b.service</h1>"));
    }

    #[test]
    fn what_runs_is_shown_beside_the_copies() {
        let page = example();
        for part in [
            "<p class=\"open\"><strong>it has LESS than a copy",
            "process 7 (&lt;x&gt;) has 2 system-call filters",
            "Fix: restart it",
            "<summary>a copy, in the container</summary><ul><li>no_new_privs</li><li>3 filters",
            "<summary>7 &lt;x&gt;, container</summary><ul><li>no_new_privs</li><li>2 filters",
            "<li>no internet sockets</li>",
        ] {
            assert!(page.contains(part), "no {part} in {page}");
        }
    }

    #[test]
    fn paths_and_their_evidence() {
        let page = example();
        for part in [
            "<a href=\"#network\"><g class=\"open\"><title>Podman: OPEN</title>",
            "<a href=\"#socket\"><g class=\"accepted\"><title>Podman: open, accepted at this level</title>",
            "<a href=\"#processes\"><g class=\"closed\"><title>Podman: closed</title>",
            "<g class=\"inconclusive\"><title>container: not shown</title>",
            "<details open><summary><b class=\"open\">OPEN</b>AF_INET socket through io_uring",
        ] {
            assert!(page.contains(part), "no {part} in {page}");
        }
        for goal in Goal::ALL {
            let id = format!("id=\"{}\"", anchor(goal));
            assert_eq!(page.matches(&id).count(), 1, "{id}");
        }
        let opened = page.matches("<details open>").count();
        assert_eq!(opened, 1, "only what is broken is unfolded");
    }
}

//! `Volume=` and `Mount=`: sources that are paths, or other Quadlet files.

use super::QuadletError;
use super::command::PodmanCommand;
use super::resource::has_type;
use super::services::{Builder, error};
use super::values::Value;
use crate::unit::effective::Origin;

/// The types of mount whose source is looked at.
const WITH_SOURCE: &[&str] = &["volume", "bind", "glob", "image"];

impl Builder<'_> {
    pub(super) fn volumes(&mut self, command: &mut PodmanCommand) -> Result<(), QuadletError> {
        for Value { text, origin } in self.section().all("Volume") {
            let (source, rest) = match text.split_once(':') {
                Some((source, rest)) => (source, Some(rest)),
                None => ("", None),
            };
            let volume = match rest {
                None => text.clone(),
                Some(rest) if source.is_empty() => {
                    // Options of a volume without a source are dropped.
                    rest.split(':').next().unwrap_or(rest).to_owned()
                }
                Some(rest) => {
                    let source = self.source(source, &origin, false)?;
                    if source.is_empty() {
                        rest.split(':').next().unwrap_or(rest).to_owned()
                    } else {
                        format!("{source}:{rest}")
                    }
                }
            };
            command.add(["-v", &volume], Some(&origin));
        }
        Ok(())
    }

    pub(super) fn mounts(&mut self, command: &mut PodmanCommand) -> Result<(), QuadletError> {
        for Value { text, origin } in self.section().arguments("Mount") {
            let mount = self.mount(&text, &origin)?;
            command.add(["--mount", &mount], Some(&origin));
        }
        Ok(())
    }

    fn mount(&mut self, mount: &str, origin: &Origin) -> Result<String, QuadletError> {
        let mut tokens = split_csv(mount)
            .ok_or_else(|| error(origin, format!("incorrect mount format {mount:?}")))?;
        let type_at = tokens.iter().position(|token| {
            token
                .strip_prefix("type=")
                .is_some_and(|of| !of.contains('='))
        });
        let mount_type = match type_at {
            Some(at) => tokens.remove(at)["type=".len()..].to_owned(),
            None => "volume".to_owned(),
        };
        if !WITH_SOURCE.contains(&mount_type.as_str()) {
            return Ok(mount.to_owned());
        }
        let is_source = |token: &String| {
            let key = token.split_once('=').map_or(token.as_str(), |(key, _)| key);
            matches!(key, "source" | "src")
        };
        let Some(at) = tokens.iter().rposition(is_source) else {
            return Err(error(origin, format!("no source in mount {mount:?}")));
        };
        let source = tokens[at]
            .split_once('=')
            .map(|(_, source)| source.to_owned());
        let Some(source) = source else {
            return Err(error(origin, "source parameter does not include a value"));
        };
        let source = self.source(&source, origin, true)?;
        tokens[at] = format!("source={source}");
        tokens.insert(0, format!("type={mount_type}"));
        Ok(join_csv(&tokens))
    }

    /// What is mounted: a path, which the service then requires to be mounted,
    /// or the name of what another Quadlet file makes.
    fn source(
        &mut self,
        source: &str,
        origin: &Origin,
        with_images: bool,
    ) -> Result<String, QuadletError> {
        let source = if source.starts_with('.') {
            self.absolute(source)
        } else {
            source.to_owned()
        };
        if source.starts_with('/') {
            self.service
                .add("Unit", "RequiresMountsFor", &source, origin);
            return Ok(source);
        }
        if has_type(&source, "volume") || (with_images && has_type(&source, "image")) {
            let what = format!("requested Quadlet source {source} was not found");
            return self.require(&source, origin, &what);
        }
        Ok(source)
    }
}

/// A line of comma-separated values: `None` where quotes are wrong.
fn split_csv(line: &str) -> Option<Vec<String>> {
    let mut tokens = Vec::new();
    let mut rest = line;
    loop {
        let Some(mut quoted) = rest.strip_prefix('"') else {
            let (token, after) = match rest.split_once(',') {
                Some((token, after)) => (token, Some(after)),
                None => (rest, None),
            };
            if token.contains('"') {
                return None;
            }
            tokens.push(token.to_owned());
            match after {
                Some(after) => rest = after,
                None => return Some(tokens),
            }
            continue;
        };
        let mut token = String::new();
        loop {
            let (text, after) = quoted.split_once('"')?;
            token.push_str(text);
            quoted = after;
            let Some(after) = after.strip_prefix('"') else {
                break;
            };
            token.push('"');
            quoted = after;
        }
        tokens.push(token);
        match quoted.strip_prefix(',') {
            Some(after) => rest = after,
            None if quoted.is_empty() => return Some(tokens),
            None => return None,
        }
    }
}

fn join_csv(tokens: &[String]) -> String {
    let tokens: Vec<String> = tokens
        .iter()
        .map(|token| {
            let is_special =
                token.contains([',', '"', '\n', '\r']) || token.starts_with(char::is_whitespace);
            if is_special {
                format!("\"{}\"", token.replace('"', "\"\""))
            } else {
                token.clone()
            }
        })
        .collect();
    tokens.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comma_separated_values() {
        let cases: &[(&str, Option<&[&str]>)] = &[
            ("a,b=c", Some(&["a", "b=c"])),
            ("a,\"b,\"\"c\"\"\",d", Some(&["a", "b,\"c\"", "d"])),
            ("\"a\"", Some(&["a"])),
            ("a,", Some(&["a", ""])),
            ("a\"b", None),
            ("\"a", None),
            ("\"a\"b", None),
        ];
        for (line, expected) in cases {
            let found = split_csv(line);
            let found: Option<Vec<&str>> = found
                .as_ref()
                .map(|tokens| tokens.iter().map(String::as_str).collect());
            assert_eq!(found.as_deref(), *expected, "{line}");
            if let Some(tokens) = split_csv(line) {
                assert_eq!(split_csv(&join_csv(&tokens)), Some(tokens), "{line}");
            }
        }
    }
}

//! The page that is written, as a browser draws it.

use std::env;
use std::fs;
use std::process::Command;

use super::{podman, verify, write};
use crate::account::lacking_here;
use crate::container::Lab;
use crate::fixture::output;

/// A browser, from the Debian package of this name.
const BROWSER: &str = "chromium";

/// The widths to draw it at: a small phone's, and a desk's.
const WIDTHS: [u32; 2] = [320, 1000];

/// A document that has the page in frames of these widths, and writes into its
/// title how wide each page would have to be. The page itself may run nothing.
fn frames(page: &str) -> String {
    let source = page.replace('&', "&amp;").replace('"', "&quot;");
    let frames = WIDTHS.map(|width| {
        format!("<iframe width=\"{width}\" height=\"2400\" srcdoc=\"{source}\"></iframe>\n")
    });
    format!(
        "<!DOCTYPE html><title>none</title><style>iframe {{ border: 0 }}</style>\n{}\
         <script>onload = () => {{ document.title = [...document.querySelectorAll('iframe')]\
         .map(f => f.contentDocument.documentElement.scrollWidth).join(' ') }}</script>\n",
        frames.concat()
    )
}

/// With `PODSEAL_TEST_PICTURES`, a directory, it also leaves pictures there for
/// somebody to look at.
#[test]
fn it_fits_a_phone_and_a_desk() {
    if Command::new(BROWSER).arg("--version").output().is_err() {
        return lacking_here("the page in a browser", "there is no chromium");
    }
    let lab = Lab::new(None, "vfs");
    write(&lab.place, &podman(&lab));
    let more = ["--level=standard", "--html=page.html"];
    output(&mut lab.place.command(&verify(&more))).expect(1, &[]);
    let page = fs::read_to_string(lab.place.path("page.html")).unwrap();
    fs::write(lab.place.path("frames.html"), frames(&page)).unwrap();
    let chromium = |name: &str, options: &[&str]| {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "60", BROWSER]);
        command.args(["--headless", "--no-sandbox", "--disable-gpu"]);
        command.arg(format!("--user-data-dir={}", lab.place.text("browser")));
        command.args(options);
        command.arg(format!("file://{}", lab.place.text(name)));
        output(&mut command)
    };
    let drawn = chromium("frames.html", &["--hide-scrollbars", "--dump-dom"]);
    let title = drawn.stdout.split("<title>").nth(1);
    let title = title.and_then(|rest| rest.split("</title>").next());
    assert_eq!(title, Some("320 1000"), "{drawn:?}");
    if let Ok(directory) = env::var("PODSEAL_TEST_PICTURES") {
        let width = WIDTHS.iter().sum::<u32>() + 40;
        for (name, size) in [
            ("page.html", "1000,1600"),
            ("frames.html", &format!("{width},2400")),
        ] {
            let picture = format!("{directory}/{name}.png");
            let size = format!("--window-size={size}");
            chromium(name, &[&size, &format!("--screenshot={picture}")]).expect(0, &[]);
            assert!(fs::metadata(&picture).unwrap().len() > 10_000);
        }
    }
    lab.expect_nothing_left();
}

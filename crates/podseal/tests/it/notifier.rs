//! A service that tells its supervisor things: this test binary itself,
//! started again.

use std::env;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, exit};
use std::thread;
use std::time::{Duration, Instant};

use crate::fixture::{Place, Running, eventually};

const STEPS: &str = "PODSEAL_TEST_STEPS";

/// One thing that the service does.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Sends a message.
    Tell(String),
    /// Waits until there is a file of this name.
    Until(String),
    /// Takes so long, for deadlines of the supervisor.
    Take(Duration),
    /// Starts a child, prints its id, and makes it the main process.
    OtherMain,
    /// Ends with this status.
    Exit(i32),
}

/// Starts `podseal run` with a service that takes these steps and then stays.
pub(crate) fn run(place: &Place, options: &[&str], steps: &[Step]) -> Running {
    let steps: Vec<String> = steps
        .iter()
        .map(|step| match step {
            Step::Tell(text) => format!("tell {text}"),
            Step::Until(name) => format!("until {name}"),
            Step::Take(time) => format!("take {}", time.as_millis()),
            Step::OtherMain => "other-main ".to_owned(),
            Step::Exit(code) => format!("exit {code}"),
        })
        .collect();
    let own = env::current_exe().unwrap();
    let service = [
        own.to_str().unwrap(),
        "--exact",
        "notifier::service",
        "--ignored",
        "--nocapture",
    ];
    let options = [&["--start=now", "--name=notifier"], options].concat();
    let mut command = place.run_command(&options, &service);
    Running::start(command.env(STEPS, steps.join("\n")))
}

pub(crate) fn tell(text: &str) -> Step {
    Step::Tell(text.to_owned())
}

#[test]
#[ignore = "run by the other tests, as a service"]
fn service() {
    let manager = UnixDatagram::unbound().unwrap();
    let address = env::var("NOTIFY_SOCKET").unwrap();
    let send = |text: &str| manager.send_to(text.as_bytes(), &address).unwrap();
    let mut children = Vec::new();
    for step in env::var(STEPS).unwrap().lines() {
        let (verb, rest) = step.split_once(' ').unwrap();
        match verb {
            "tell" => drop(send(rest)),
            "until" => {
                eventually(Duration::from_mins(1), || {
                    Path::new(rest).exists().then_some(())
                });
            }
            "take" => {
                let until = Instant::now() + Duration::from_millis(rest.parse().unwrap());
                thread::sleep(until - Instant::now());
            }
            "other-main" => {
                let child = Command::new("sleep").arg("1000").spawn().unwrap();
                println!("\nmain {}", child.id());
                send(&format!("MAINPID={}", child.id()));
                children.push(child);
            }
            "exit" => exit(rest.parse().unwrap()),
            other => panic!("{other}"),
        }
    }
    loop {
        thread::park();
    }
}

use std::collections::BTreeSet;

use super::*;
use crate::lifecycle::{Command, Event as Life, Exit, Kind, Phase, Restart, Settings};

/// Units, a clock, and a world in which commands run.
struct World {
    jobs: Jobs,
    time: Duration,
    running: BTreeSet<UnitName>,
    log: Vec<String>,
}

fn name(text: &str) -> UnitName {
    text.parse().expect("valid")
}

fn names(text: &str) -> BTreeSet<UnitName> {
    text.split_whitespace().map(name).collect()
}

fn settings(kind: Kind) -> Settings {
    Settings {
        start: vec![Command::new(["main"])],
        ..Settings::new(kind)
    }
}

type Units = BTreeMap<UnitName, (Definition, Links)>;

fn service(units: &mut Units, unit: &str, settings: Settings, links: Links) {
    units.insert(name(unit), (Definition::Service(Box::new(settings)), links));
}

/// As the recipe has it: a socket, its service, and a oneshot that the service
/// is bound to.
fn recipe(service_settings: Settings, pause: Settings) -> Units {
    let mut units = Units::new();
    service(
        &mut units,
        "a.service",
        service_settings,
        Links {
            requires: names("pause.service"),
            binds_to: names("pause.service"),
            after: names("pause.service a.socket"),
            ..Links::default()
        },
    );
    service(&mut units, "pause.service", pause, Links::default());
    let socket = Definition::Socket(socket::Settings::default(), name("a.service"));
    units.insert(name("a.socket"), (socket, Links::default()));
    units
}

fn pause() -> Settings {
    Settings {
        remain_after_exit: true,
        ..settings(Kind::Oneshot)
    }
}

impl World {
    fn new(units: Units) -> Self {
        let mut jobs = Jobs::default();
        jobs.load(units);
        Self {
            jobs,
            time: Duration::from_secs(1000),
            running: BTreeSet::new(),
            log: Vec::new(),
        }
    }

    /// Carries effects out until there are no more, and notes them.
    fn on(&mut self, event: Event) -> String {
        let mut events = vec![event];
        while !events.is_empty() {
            let running = self.running.clone();
            let now = Now {
                time: self.time,
                processes: &|unit| running.contains(unit),
            };
            for effect in self.jobs.handle(events.remove(0), now) {
                match effect {
                    Effect::Service(unit, Action::Spawn(phase, index)) => {
                        self.log.push(format!("{phase} {index} {unit}"));
                        self.running.insert(unit.clone());
                        events.push(Event::Service(unit, Life::Spawned));
                    }
                    Effect::Service(unit, Action::Terminate | Action::Kill) => {
                        self.log.push(format!("end {unit}"));
                        self.running.remove(&unit);
                        events.push(Event::Service(unit, Life::MainExited(Exit::Signal(15))));
                    }
                    Effect::Service(unit, Action::Down(outcome)) => {
                        self.log.push(format!("down {unit} {outcome}"));
                    }
                    Effect::Service(..) => {}
                    Effect::Open(unit) => {
                        self.log.push(format!("open {unit}"));
                        events.push(Event::Opened(unit));
                    }
                    Effect::Close(unit) => self.log.push(format!("close {unit}")),
                    Effect::JobDone(unit, kind, result) => {
                        self.log.push(format!("{kind} {unit} {result}"));
                    }
                    Effect::GivenUp(unit, outcome) => self.log.push(format!("{unit} {outcome}")),
                    Effect::Busy(unit) => self.log.push(format!("busy {unit}")),
                }
            }
        }
        std::mem::take(&mut self.log).join(", ")
    }

    fn want(&mut self, kind: JobKind, unit: &str) -> String {
        self.on(Event::Wanted(kind, name(unit)))
    }

    fn main_ends(&mut self, unit: &str, code: i32) -> String {
        self.running.remove(&name(unit));
        self.on(Event::Service(
            name(unit),
            Life::MainExited(Exit::Code(code)),
        ))
    }

    fn traffic(&mut self) -> String {
        self.on(Event::Traffic(name("a.socket")))
    }

    fn later(&mut self, milliseconds: u64) -> String {
        self.time += Duration::from_millis(milliseconds);
        self.on(Event::Tick)
    }

    fn listens(&self) -> bool {
        self.jobs.listens(&name("a.socket"), self.time)
    }
}

#[test]
fn traffic_starts_what_the_service_needs_first_and_stops_go_the_other_way() {
    let mut world = World::new(recipe(settings(Kind::Exec), pause()));
    assert_eq!(
        world.want(JobKind::Start, "a.socket"),
        "open a.socket, start a.socket done"
    );
    assert!(world.listens());
    assert_eq!(world.traffic(), "ExecStart 0 pause.service");
    assert!(!world.listens());
    assert_eq!(
        world.main_ends("pause.service", 0),
        "start pause.service done, ExecStart 0 a.service, start a.service done"
    );
    assert_eq!(
        world.on(Event::StopAll),
        "end a.service, down a.service success, stop a.service done, \
         close a.socket, stop a.socket done, down pause.service success, stop pause.service done"
    );
    assert!(world.jobs.is_down());
    assert_eq!(
        world.want(JobKind::Start, "a.service"),
        "start a.service canceled"
    );
}

#[test]
fn a_service_does_not_start_without_what_it_requires() {
    let mut world = World::new(recipe(settings(Kind::Exec), pause()));
    world.want(JobKind::Start, "a.socket");
    world.traffic();
    assert_eq!(
        world.main_ends("pause.service", 1),
        "down pause.service exit-code, start pause.service failed, start a.service dependency"
    );
    assert!(world.listens(), "and tries again with the next traffic");
}

#[test]
fn what_is_bound_to_a_unit_stops_with_it() {
    for unasked in [false, true] {
        let mut oneshot = pause();
        if unasked {
            oneshot.kind = Kind::Exec;
            oneshot.remain_after_exit = false;
        }
        let mut world = World::new(recipe(settings(Kind::Exec), oneshot));
        world.want(JobKind::Start, "a.service");
        let stops = if unasked {
            world.main_ends("pause.service", 0)
        } else {
            world.main_ends("pause.service", 0);
            world.want(JobKind::Stop, "pause.service")
        };
        assert!(stops.contains("stop a.service done"), "{stops}");
    }
}

#[test]
fn a_service_that_fails_too_often_fails_its_socket_until_reset() {
    let failing = Settings {
        restart: Restart::OnFailure,
        ..settings(Kind::Exec)
    };
    let mut world = World::new(recipe(failing, pause()));
    world.want(JobKind::Start, "a.socket");
    world.traffic();
    world.main_ends("pause.service", 0);
    for _ in 0..4 {
        assert_eq!(world.main_ends("a.service", 1), "down a.service exit-code");
        assert_eq!(
            world.later(100),
            "ExecStart 0 a.service, start a.service done"
        );
    }
    world.main_ends("a.service", 1);
    assert_eq!(
        world.later(100),
        "down a.service exit-code, a.socket service-start-limit-hit, start a.service failed"
    );
    assert_eq!(
        world.want(JobKind::Start, "a.service"),
        "down a.service exit-code, start a.service failed"
    );
    world.on(Event::ResetFailed(name("a.service")));
    world.on(Event::ResetFailed(name("a.socket")));
    assert_eq!(
        world.want(JobKind::Start, "a.socket"),
        "open a.socket, start a.socket done"
    );
    assert_eq!(
        world.traffic(),
        "ExecStart 0 a.service, start a.service done"
    );
}

#[test]
fn a_socket_can_be_stopped_alone_and_not_started_while_its_service_runs() {
    let mut world = World::new(recipe(settings(Kind::Exec), pause()));
    world.want(JobKind::Start, "a.socket");
    world.traffic();
    world.main_ends("pause.service", 0);
    assert_eq!(
        world.want(JobKind::Stop, "a.socket"),
        "close a.socket, stop a.socket done"
    );
    assert_eq!(
        world.want(JobKind::Start, "a.socket"),
        "busy a.socket, start a.socket failed"
    );
    assert!(!world.jobs.is_down());
}

#[test]
fn a_restart_stops_first_and_takes_dependents_along() {
    let mut world = World::new(recipe(settings(Kind::Exec), pause()));
    world.want(JobKind::Start, "a.service");
    world.main_ends("pause.service", 0);
    assert_eq!(
        world.want(JobKind::Restart, "pause.service"),
        "end a.service, down a.service success, down pause.service success, \
         ExecStart 0 pause.service"
    );
    assert_eq!(
        world.main_ends("pause.service", 0),
        "start pause.service done, ExecStart 0 a.service, start a.service done"
    );
    assert_eq!(
        world.want(JobKind::Restart, "a.service"),
        "end a.service, down a.service success, ExecStart 0 a.service, start a.service done"
    );
}

/// The first start fails, and with it the job; the unit comes up all the same.
#[test]
fn a_oneshot_may_be_restarted_after_its_job_failed() {
    let oneshot = Settings {
        restart: Restart::OnFailure,
        ..pause()
    };
    let mut world = World::new(recipe(settings(Kind::Exec), oneshot));
    world.want(JobKind::Start, "pause.service");
    assert_eq!(
        world.main_ends("pause.service", 1),
        "down pause.service exit-code, start pause.service failed"
    );
    world.later(100);
    assert_eq!(
        world.main_ends("pause.service", 0),
        "start pause.service done"
    );
}

#[test]
fn killing_skips_what_waits() {
    let mut stopping = settings(Kind::Exec);
    stopping.stop = vec![Command::new(["slow"])];
    let mut world = World::new(recipe(stopping, pause()));
    world.want(JobKind::Start, "a.service");
    world.main_ends("pause.service", 0);
    assert_eq!(world.on(Event::StopAll), "ExecStop 0 a.service");
    let killed = world.on(Event::KillAll);
    assert!(killed.starts_with("end a.service"), "{killed}");
    assert!(world.jobs.is_down());
}

#[test]
fn other_definitions_count_from_the_next_start() {
    let mut world = World::new(recipe(settings(Kind::Exec), pause()));
    world.want(JobKind::Start, "a.service");
    world.main_ends("pause.service", 0);
    let mut changed = settings(Kind::Exec);
    changed.start_pre = vec![Command::new(["pre"])];
    let mut units = recipe(changed, pause());
    units.remove(&name("a.socket"));
    world.jobs.load(units);
    assert!(!world.jobs.units().contains_key(&name("a.socket")));
    let log = world.want(JobKind::Restart, "a.service");
    assert!(log.ends_with("ExecStartPre 0 a.service"), "{log}");
    assert!(matches!(
        world.jobs.service(&name("a.service")).map(Service::state),
        Some(lifecycle::State::Running(Phase::StartPre, 0))
    ));
}

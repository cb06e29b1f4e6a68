use super::*;

fn settings(kind: Kind) -> Settings {
    Settings {
        start: vec![Command::new(["main"])],
        ..Settings::new(kind)
    }
}

/// A service with a clock and a count of its processes.
struct World {
    service: Service,
    time: Duration,
    processes: bool,
}

impl World {
    fn new(settings: Settings) -> Self {
        Self {
            service: Service::new(settings),
            time: Duration::from_secs(1000),
            processes: false,
        }
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        let processes = self.processes;
        self.service.handle(
            event,
            Now {
                time: self.time,
                processes: &|| processes,
            },
        )
    }

    fn after(&mut self, wait: Duration) -> Vec<Action> {
        self.time += wait;
        self.on(Event::Tick)
    }

    /// Starts it and reports that what it spawned runs.
    fn start(&mut self) -> Vec<Action> {
        let mut actions = self.on(Event::Start);
        self.processes = true;
        actions.extend(self.on(Event::Spawned));
        actions
    }

    fn main_ends(&mut self, exit: Exit) -> Vec<Action> {
        self.processes = false;
        self.on(Event::MainExited(exit))
    }
}

const MAIN: Action = Action::Spawn(Phase::Start, 0);

#[test]
fn exec_is_up_when_it_runs_and_down_when_it_ends() {
    for (exit, outcome, state) in [
        (Exit::Code(0), Outcome::Success, State::Inactive),
        (Exit::Signal(15), Outcome::Success, State::Inactive),
        (Exit::Code(3), Outcome::ExitCode, State::Failed),
        (Exit::Signal(9), Outcome::Signal, State::Failed),
        (Exit::Signal(31), Outcome::Signal, State::Failed),
    ] {
        let mut world = World::new(settings(Kind::Exec));
        assert_eq!(world.start(), [MAIN, Action::Up]);
        assert_eq!(world.service.state(), State::Active);
        assert_eq!(
            world.service.deadline(),
            None,
            "an idle service wakes nobody"
        );
        assert_eq!(world.main_ends(exit), [Action::Down(outcome)], "{exit}");
        assert_eq!(world.service.state(), state, "{exit}");
    }
}

#[test]
fn notify_is_up_when_it_says_so() {
    let mut world = World::new(settings(Kind::Notify));
    assert_eq!(world.start(), [MAIN]);
    assert_eq!(world.on(Event::Ready), [Action::Up]);
    assert_eq!(
        world.on(Event::Ready),
        [],
        "saying it twice changes nothing"
    );
}

#[test]
fn notify_that_ends_without_a_word_is_a_protocol_failure() {
    let mut world = World::new(settings(Kind::Notify));
    world.start();
    assert_eq!(
        world.main_ends(Exit::Code(0)),
        [Action::Down(Outcome::Protocol)]
    );
}

#[test]
fn a_start_that_takes_too_long_is_ended_by_force_step_by_step() {
    let mut world = World::new(settings(Kind::Notify));
    world.start();
    world.time += Duration::from_mins(1);
    world.on(Event::ExtendTimeout(Duration::from_mins(1)));
    assert_eq!(world.after(Duration::from_secs(59)), []);
    assert_eq!(world.after(Duration::from_secs(1)), [Action::Terminate]);
    assert_eq!(world.after(Duration::from_secs(90)), [Action::Kill]);
    assert_eq!(
        world.main_ends(Exit::Signal(9)),
        [Action::Down(Outcome::Timeout)]
    );
}

#[test]
fn commands_run_in_order_and_a_failing_first_one_skips_the_main_process() {
    let mut full = settings(Kind::Exec);
    full.start_pre = vec![Command::new(["a"]).ignoring_failure(), Command::new(["b"])];
    full.stop_post = vec![Command::new(["c"])];
    let mut world = World::new(full);
    assert_eq!(world.start(), [Action::Spawn(Phase::StartPre, 0)]);
    assert_eq!(
        world.on(Event::ControlExited(Exit::Code(1))),
        [Action::Spawn(Phase::StartPre, 1)],
        "the first may fail"
    );
    world.processes = false;
    assert_eq!(
        world.on(Event::ControlExited(Exit::Code(1))),
        [Action::Spawn(Phase::StopPost, 0)]
    );
    assert_eq!(
        world.on(Event::ControlExited(Exit::Code(0))),
        [Action::Down(Outcome::ExitCode)]
    );
}

#[test]
fn a_program_that_cannot_be_run_fails_the_service() {
    let mut world = World::new(settings(Kind::Exec));
    assert_eq!(world.on(Event::Start), [MAIN]);
    assert_eq!(
        world.on(Event::SpawnFailed),
        [Action::Down(Outcome::ExitCode)]
    );
}

#[test]
fn stop_commands_run_before_signals_and_after_an_end_of_its_own() {
    let mut full = settings(Kind::Notify);
    full.stop = vec![Command::new(["stop"])];
    full.stop_post = vec![Command::new(["rm"])];
    let mut world = World::new(full);
    for own_end in [false, true] {
        world.start();
        world.on(Event::Ready);
        let stopping = if own_end {
            world.on(Event::MainExited(Exit::Code(0)))
        } else {
            world.on(Event::Stop)
        };
        assert_eq!(stopping, [Action::Spawn(Phase::Stop, 0)]);
        assert_eq!(
            world.on(Event::ControlExited(Exit::Code(0))),
            [Action::Terminate],
            "processes are left"
        );
        world.processes = false;
        assert_eq!(
            world.on(Event::OtherExited),
            [Action::Spawn(Phase::StopPost, 0)]
        );
        assert_eq!(
            world.on(Event::ControlExited(Exit::Code(0))),
            [Action::Down(Outcome::Success)]
        );
    }
}

#[test]
fn a_stop_command_that_hangs_is_bounded() {
    let mut full = settings(Kind::Exec);
    full.stop = vec![Command::new(["hangs"])];
    full.stop_post = vec![Command::new(["hangs too"])];
    let mut world = World::new(full);
    world.start();
    world.on(Event::Stop);
    assert_eq!(world.after(Settings::TIMEOUT), [Action::Terminate]);
    assert_eq!(world.after(Settings::TIMEOUT), [Action::Kill]);
    assert_eq!(
        world.after(Settings::TIMEOUT),
        [Action::Spawn(Phase::StopPost, 0)],
        "unkillable, so the clean-up is tried"
    );
    assert_eq!(world.after(Settings::TIMEOUT), [Action::Terminate]);
    assert_eq!(world.after(Settings::TIMEOUT), [Action::Kill]);
    assert_eq!(
        world.after(Settings::TIMEOUT),
        [Action::Down(Outcome::Timeout)]
    );
}

#[test]
fn an_impatient_stop_kills_at_once_and_still_cleans_up() {
    let mut full = settings(Kind::Exec);
    full.stop = vec![Command::new(["slow"])];
    full.stop_post = vec![Command::new(["rm"])];
    let mut world = World::new(full);
    world.start();
    world.on(Event::Stop);
    assert_eq!(world.on(Event::Kill), [Action::Kill]);
    world.processes = false;
    assert_eq!(
        world.on(Event::OtherExited),
        [Action::Spawn(Phase::StopPost, 0)]
    );
}

#[test]
fn restart_policies() {
    use Restart::{Always, No, OnAbnormal, OnAbort, OnFailure, OnSuccess};
    // The table of systemd.service(5).
    for (exit, restarted_by) in [
        (Exit::Code(0), &[OnSuccess, Always][..]),
        (Exit::Signal(15), &[OnSuccess, Always]),
        (Exit::Code(1), &[OnFailure, Always]),
        (Exit::Signal(9), &[OnFailure, OnAbnormal, OnAbort, Always]),
    ] {
        for restart in [No, OnSuccess, OnFailure, OnAbnormal, OnAbort, Always] {
            let mut world = World::new(Settings {
                restart,
                ..settings(Kind::Exec)
            });
            world.start();
            world.main_ends(exit);
            let restarted = world.service.state() == State::AutoRestart;
            assert_eq!(
                restarted,
                restarted_by.contains(&restart),
                "{restart:?} {exit}"
            );
            if restarted {
                assert_eq!(world.after(Duration::from_millis(99)), []);
                let due = world.after(Duration::from_millis(1));
                assert_eq!(due, [Action::StartAgain]);
                assert_eq!(world.on(Event::Start), [MAIN]);
            }
        }
    }
}

#[test]
fn the_fifth_restart_in_ten_seconds_is_refused() {
    let mut world = World::new(Settings {
        restart: Restart::OnFailure,
        ..settings(Kind::Exec)
    });
    world.start();
    for _ in 0..4 {
        world.main_ends(Exit::Code(1));
        world.after(Settings::RESTART_DELAY);
        assert_eq!(world.on(Event::Start), [MAIN]);
        world.processes = true;
        assert_eq!(world.on(Event::Spawned), [Action::Up]);
    }
    world.main_ends(Exit::Code(1));
    world.after(Settings::RESTART_DELAY);
    assert_eq!(
        world.on(Event::Start),
        [Action::Down(Outcome::ExitCode)],
        "what went wrong, not that it did so too often"
    );
    assert!(world.service.start_limit_hit());
    assert_eq!(world.service.state(), State::Failed);
    world.service.reset_failed();
    assert_eq!(world.on(Event::Start), [MAIN]);
}

#[test]
fn a_stop_ends_the_wait_for_a_restart() {
    let mut world = World::new(Settings {
        restart: Restart::Always,
        ..settings(Kind::Exec)
    });
    world.start();
    world.main_ends(Exit::Code(1));
    assert_eq!(world.on(Event::Stop), [Action::Down(Outcome::ExitCode)]);
    assert!(world.service.is_down());
}

#[test]
fn a_oneshot_runs_all_its_commands_and_may_stay_up() {
    for remain_after_exit in [false, true] {
        let mut world = World::new(Settings {
            start: vec![Command::new(["a"]), Command::new(["b"])],
            remain_after_exit,
            ..settings(Kind::Oneshot)
        });
        assert_eq!(world.start(), [MAIN]);
        assert_eq!(
            world.service.deadline(),
            None,
            "a oneshot may take its time"
        );
        assert_eq!(
            world.main_ends(Exit::Code(0)),
            [Action::Spawn(Phase::Start, 1)]
        );
        if remain_after_exit {
            assert_eq!(world.main_ends(Exit::Code(0)), [Action::Up]);
            assert_eq!(world.service.state(), State::Exited);
        } else {
            assert_eq!(
                world.main_ends(Exit::Code(0)),
                [Action::Up, Action::Down(Outcome::Success)]
            );
        }
    }
}

#[test]
fn a_main_process_that_ends_during_start_post_is_noticed() {
    let mut world = World::new(Settings {
        start_post: vec![Command::new(["post"])],
        ..settings(Kind::Exec)
    });
    assert_eq!(world.start(), [MAIN, Action::Spawn(Phase::StartPost, 0)]);
    assert_eq!(world.on(Event::MainExited(Exit::Code(2))), []);
    world.processes = false;
    assert_eq!(
        world.on(Event::ControlExited(Exit::Code(0))),
        [Action::Up, Action::Down(Outcome::ExitCode)]
    );
}

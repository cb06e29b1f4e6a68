//! The rows of what systemd was seen to do, on the supervisor.

use std::fs;
use std::time::{Duration, Instant};

use super::Units;
use crate::fixture::Place;
use crate::talk::{Client, hello};

const TABLE: &str =
    include_str!("../../../../podseal-core/tests/conformance/lifecycle-observed.tsv");

type Row = (&'static str, fn(&Place));

/// Each row has a test, and each test a row.
const ROWS: &[Row] = &[
    ("sock-failing-service", failing_service),
    ("sock-fd-order", descriptor_order),
    ("sock-stop-keeps-service", stopping_a_socket),
    ("sock-rebind", stopping_a_socket),
    ("sock-accept", accept_is_refused),
    ("no-service", no_service),
    ("type-notify-wrong-sender", wrong_sender),
    ("type-notify-exit0", notify_without_a_word),
    ("type-exec-missing", missing_program),
    ("bindsto-stop", bound),
    ("oneshot-restart", oneshot_restart),
    ("execstop-oneshot", oneshot_stop),
];

#[test]
fn rows() {
    let in_table = TABLE
        .lines()
        .skip(1)
        .filter_map(|line| line.split('\t').next());
    let here: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(in_table.collect::<Vec<_>>(), here);
    for (name, row) in ROWS {
        eprintln!("row {name}");
        row(&Place::new());
    }
}

fn failing_service(place: &Place) {
    let units = Units::new(
        place,
        &[
            ("fa.socket", "[Socket]\nListenStream=PLACE/s\n"),
            ("fa.service", "[Service]\nExecStart=false\n"),
        ],
    );
    let run = units.run(&["fa.socket"]);
    run.wait_for("listening on ");
    let _client = Client::connect(&place.text("s")).unwrap();
    units.wait_for_status(
        "fa.socket",
        "failed (failed), result service-start-limit-hit",
    );
    units.wait_for_status("fa.service", "failed (failed), result exit-code");
    assert_eq!(run.stderr().matches("fa.service: up").count(), 5);
    run.stop().expect(1, &[]);
}

fn descriptor_order(place: &Place) {
    let tell = "[Service]\nType=oneshot\nExecStart=sh -c 'echo $$LISTEN_FDS $$LISTEN_FDNAMES; \
                ls /proc/$$$$/fd | tr \"\\\\n\" \" \"; true'\n";
    let units = Units::new(
        place,
        &[
            (
                "fc.socket",
                "[Socket]\nListenStream=PLACE/1\nListenStream=PLACE/2\nListenStream=PLACE/3\n\
                 FileDescriptorName=web\n",
            ),
            (
                "fc2.socket",
                "[Socket]\nListenStream=PLACE/4\nService=fc.service\n",
            ),
            ("fc.service", tell),
        ],
    );
    let run = units.run(&["fc.socket", "fc2.socket"]);
    run.wait_for_times("listening on ", 2);
    units.ask(&["start", "fc.service"]).expect(0, &[]);
    run.wait_for_output("4 web:web:web:fc2.socket\n0 1 2 3 4 5 6 ");
    run.stop().expect(0, &[]);
}

fn stopping_a_socket(place: &Place) {
    let units = Units::new(
        place,
        &[
            ("a.socket", "[Socket]\nListenStream=PLACE/s\n"),
            (
                "a.service",
                "[Service]\nType=exec\nExecStart=PODSEAL echo\n",
            ),
        ],
    );
    let run = units.run(&["a.socket"]);
    run.wait_for("listening on ");
    hello(&place.text("s")).unwrap();
    units.ask(&["stop", "a.socket"]).expect(0, &[]);
    units.wait_for_status("a.service", "active (running)");
    assert!(place.path("s").exists(), "RemoveOnStop=no");
    units.ask(&["stop", "a.service"]).expect(0, &[]);
    units.ask(&["start", "a.socket"]).expect(0, &[]);
    hello(&place.text("s")).unwrap();
    run.stop().expect(0, &[]);
}

fn accept_is_refused(place: &Place) {
    let units = Units::new(
        place,
        &[
            ("a.socket", "[Socket]\nListenStream=PLACE/s\nAccept=yes\n"),
            ("a@.service", "[Service]\nExecStart=true\n"),
        ],
    );
    units
        .run(&["a.socket"])
        .end()
        .expect(1, &["/units/a.socket:3: Accept=yes is not supported"]);
}

fn no_service(place: &Place) {
    let units = Units::new(
        place,
        &[("orphan.socket", "[Socket]\nListenStream=PLACE/s\n")],
    );
    let ended = units.run(&["orphan.socket"]).end();
    ended.expect(1, &["there is no file of orphan.service in "]);
}

fn wrong_sender(place: &Place) {
    let say = "import os, socket, time\n\
               notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
               notify.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])\ntime.sleep(1000)\n";
    fs::write(place.path("say.py"), say).unwrap();
    let service = "[Service]\nType=notify\nNotifyAccess=main\nTimeoutStartSec=1\n\
                   ExecStart=sh -c 'python3 PLACE/say.py & wait'\n";
    let units = Units::new(place, &[("n.service", service)]);
    let start = Instant::now();
    let run = units.run(&["n.service"]);
    run.wait_for("n.service: down (timeout)");
    assert!(start.elapsed() >= Duration::from_secs(1));
    run.stop().expect(1, &[]);
    // The same child is heard where every process may speak.
    units.write("n.service", &service.replace("=main", "=all"));
    let run = units.run(&["n.service"]);
    run.wait_for("n.service: up");
    run.stop().expect(0, &[]);
}

fn notify_without_a_word(place: &Place) {
    let units = Units::new(
        place,
        &[("n.service", "[Service]\nType=notify\nExecStart=true\n")],
    );
    let run = units.run(&["n.service"]);
    run.wait_for("n.service: down (protocol)");
    units
        .ask(&["start", "n.service"])
        .expect(1, &["n.service: failed"]);
    run.stop().expect(1, &[]);
}

fn missing_program(place: &Place) {
    for (more, start) in [("Type=exec\n", 1), ("", 0)] {
        for seal in ["", "RestrictAddressFamilies=AF_UNIX\n"] {
            let service = format!(
                "[Service]\n{more}{seal}ExecStart=/no/such/bin\n\
                 ExecStopPost=sh -c 'echo \"status $$EXIT_STATUS\"'\n"
            );
            let units = Units::new(place, &[("n.service", &service)]);
            let run = units.run(&["n.service"]);
            run.wait_for("status 203");
            run.wait_for("n.service: down (exit-code)");
            // Without Type=exec it counts as started.
            units.ask(&["start", "n.service"]).expect(start, &[]);
            run.wait_for_times("n.service: down (exit-code)", 2);
            run.stop().expect(1, &[]);
        }
    }
}

fn bound(place: &Place) {
    let units = Units::new(
        place,
        &[
            (
                "n9.service",
                "[Unit]\nBindsTo=n7.service\nAfter=n7.service\n[Service]\nExecStart=sleep 1000\n",
            ),
            (
                "n7.service",
                "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\n",
            ),
        ],
    );
    let run = units.run(&["n9.service"]);
    units.wait_for_status("n9.service", "active (running)");
    units.ask(&["stop", "n7.service"]).expect(0, &[]);
    assert_eq!(units.status("n9.service"), "inactive (dead), NOT SEALED");
    run.stop().expect(0, &[]);
}

fn oneshot_restart(place: &Place) {
    let service = "[Service]\nType=oneshot\nRemainAfterExit=yes\nRestart=on-failure\n\
                   ExecStart=sh -c 'test -e PLACE/once || { touch PLACE/once; exit 1; }'\n";
    let units = Units::new(
        place,
        &[
            ("n.service", service),
            (
                "other.service",
                "[Service]\nExecStart=sleep 1000\n[Unit]\nWants=n.service\n",
            ),
        ],
    );
    let run = units.run(&["other.service"]);
    run.wait_for("n.service: up");
    units.ask(&["stop", "n.service"]).expect(0, &[]);
    fs::remove_file(place.path("once")).unwrap();
    units
        .ask(&["start", "n.service"])
        .expect(1, &["n.service: failed"]);
    units.wait_for_status("n.service", "active (exited)");
    run.stop().expect(0, &[]);
}

fn oneshot_stop(place: &Place) {
    let service = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\n\
                   ExecStop=sh -c 'echo stop'\n\
                   ExecStopPost=sh -c 'echo post $$SERVICE_RESULT $$EXIT_CODE $$EXIT_STATUS'\n";
    let units = Units::new(place, &[("n.service", service)]);
    let run = units.run(&["n.service"]);
    run.wait_for("n.service: up");
    units.ask(&["stop", "n.service"]).expect(0, &[]);
    run.wait_for("stop\npost success exited 0\n");
    run.stop().expect(0, &[]);
}

//! `podseal status` and `podseal list` of what `podseal run` has: what the
//! living processes show of the seal.

use std::fs;
use std::mem::MaybeUninit;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::container::{IMAGE, Lab, as_root, as_user};
use crate::fixture::{BOUND, Ended, Place, Running, eventually, output};
use crate::schema::Schema;
use crate::talk::hello;
use crate::units::Units;

fn schema() -> Schema {
    Schema::parse(include_str!("../../../../docs/schema/status.schema.json"))
}

/// The JSON form, which is as its schema says.
fn document(ended: &Ended) -> Value {
    let document = serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {ended:?}"));
    assert_eq!(schema().problem(&document), None, "{document:#}");
    document
}

fn problems(service: &Value) -> Vec<&str> {
    let problems = service["problems"].as_array().unwrap();
    problems.iter().map(|p| p["id"].as_str().unwrap()).collect()
}

const SOCKET: &str = "[Socket]\nListenStream=PLACE/s\nRemoveOnStop=yes\n";
const SERVICE: &str = "[Service]\nType=exec\nExecStart=PODSEAL echo\n\
                       RestrictAddressFamilies=AF_UNIX AF_NETLINK\n";

#[test]
fn the_schema_can_fail() {
    for wrong in [
        json!({}),
        json!({"version": "1", "runs": [], "systemd": []}),
    ] {
        assert!(schema().problem(&wrong).is_some(), "{wrong}");
    }
}

#[test]
fn a_service_that_is_as_it_should_be() {
    let place = Place::new();
    let units = Units::new(&place, &[("a.socket", SOCKET), ("a.service", SERVICE)]);
    let run = units.run(&["a.socket"]);
    run.wait_for("listening on ");
    // It waits for traffic.
    let ended = units.ask(&["status", "a"]);
    ended.expect(0, &[]);
    assert!(ended.stdout.contains("seen      no processes"), "{ended:?}");
    hello(&place.text("s")).unwrap();
    units.wait_for_status("a.service", "active (running), main process ");

    let ended = units.ask(&["status", "a"]);
    ended.expect(0, &[]);
    for text in [
        "level families",
        "no_new_privs",
        "1 filter,",
        "cannot be seen from outside",
    ] {
        assert!(ended.stdout.contains(text), "{text}: {ended:?}");
    }
    let ended = units.ask(&["status", "a", "--format=json"]);
    ended.expect(0, &[]);
    let document = document(&ended);
    let service = &document["runs"][0]["units"][0];
    assert_eq!(service["live"], "as-promised", "{service:#}");
    assert_eq!(service["level"], "families");
    assert_eq!(service["processes"][0]["role"], "main");
    assert_eq!(service["processes"][0]["network_namespace"], "host");
    assert_eq!(service["sockets"][0]["unit"], "a.socket");

    let ended = units.ask(&["list"]);
    ended.expect(0, &[]);
    let row = ended.stdout.lines().find(|line| line.contains("a.service"));
    let words: Vec<&str> = row.unwrap().split_whitespace().take(6).collect();
    assert_eq!(
        words,
        ["a.service", "run", "a", "families", "active", "(running)"]
    );

    units.ask(&["stop", "a.socket"]).expect(0, &[]);
    units.ask(&["stop", "a.service"]).expect(0, &[]);
    units.ask(&["status", "a"]).expect(3, &[]);
    units
        .ask(&["status", "a", "other"])
        .expect(4, &["no run has a unit other.service"]);
    run.stop().expect(0, &[]);
    let ended = units.ask(&["list"]);
    ended.expect(0, &["nothing is run by `podseal run`"]);
}

/// One process without the seal among those of a sealed service, and one with
/// an internet socket that is not the service's.
#[test]
fn processes_that_do_not_show_the_seal_are_named() {
    let place = Place::new();
    let planted = format!("{SERVICE}ExecStartPost=+sh -c 'sleep 1000 > /dev/null &'\n");
    let units = Units::new(&place, &[("a.socket", SOCKET), ("a.service", &planted)]);
    let run = units.run(&["a.socket"]);
    run.wait_for("listening on ");
    hello(&place.text("s")).unwrap();
    units.wait_for_status("a.service", "active (running)");
    let ended = units.ask(&["status", "a"]);
    ended.expect(1, &[]);
    for text in [
        "NOT SEALED",
        "(sleep) may gain privileges",
        "[process-unsealed]",
    ] {
        assert!(ended.stdout.contains(text), "{text}: {ended:?}");
    }
    let document = document(&units.ask(&["status", "a", "--format=json"]));
    let service = &document["runs"][0]["units"][0];
    assert_eq!(problems(service), ["process-unsealed"]);
    assert_eq!(service["level"], Value::Null);
    assert_eq!(service["promised_level"], "families");
    let ended = units.ask(&["list"]);
    assert!(ended.stdout.contains("NOT SEALED"), "{ended:?}");
    run.stop().expect(0, &[]);
}

/// A socket that no unit has, inherited by a sealed program.
#[test]
fn a_socket_from_elsewhere_is_named() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let script = "import os, socket, sys\n\
                  own = socket.socket(socket.AF_UNIX)\n\
                  own.connect(sys.argv[1])\n\
                  fds = socket.recv_fds(own, 1, 1)\n\
                  print('has it', flush=True)\n\
                  own.recv(1)\n";
    fs::write(place.path("take.py"), script).unwrap();
    let give = std::os::unix::net::UnixListener::bind(place.path("give")).unwrap();
    let take = format!(
        "exec python3 {} {}",
        place.text("take.py"),
        place.text("give")
    );
    let options = [
        "--name=take",
        "--listen",
        &place.text("s"),
        "--start=now",
        "--level=families",
    ];
    let run: Running = place.run_script(&options, &take);
    let (taker, _) = give.accept().unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
    let fds = [std::os::fd::AsFd::as_fd(&listener)];
    assert!(control.push(rustix::net::SendAncillaryMessage::ScmRights(&fds)));
    let data = [std::io::IoSlice::new(b"x")];
    rustix::net::sendmsg(&taker, &data, &mut control, rustix::net::SendFlags::empty()).unwrap();
    run.wait_for_output("has it");
    let ended = output(&mut place.command(&["status", "take"]));
    ended.expect(1, &[]);
    let message = format!("has a TCP socket at {address}, which is not of the service's");
    assert!(ended.stdout.contains(&message), "{ended:?}");
    drop(taker);
    run.stop();
}

fn container(lab: &Lab) {
    let run = Running::start(&mut lab.place.command(&[
        "run",
        "--name=it",
        "--listen",
        &lab.socket(),
        "--image",
        IMAGE,
    ]));
    run.wait_for("listening on ");
    lab.hello(&run);
    run.wait_for(", container ");
    let ask = |arguments: &[&str]| output(&mut lab.place.command(arguments));
    let ended = ask(&["status", "it", "--format=json"]);
    ended.expect(0, &[]);
    let document = document(&ended);
    let service = &document["runs"][0]["units"][0];
    assert_eq!(service["live"], "as-promised", "{service:#}");
    assert_eq!(service["level"], "standard");
    assert_eq!(service["container"]["name"], "podseal-it");
    assert_eq!(service["container"]["image"], IMAGE);
    let processes = service["processes"].as_array().unwrap();
    let of = |role: &str| processes.iter().find(|process| process["role"] == role);
    let inside = of("container").unwrap();
    assert_eq!(inside["network_namespace"], "own", "{inside}");
    let conmon = of("conmon").unwrap();
    assert_eq!(conmon["network_namespace"], "host", "{conmon}");
    assert!(inside["filters"].as_u64() > conmon["filters"].as_u64());

    // What joins the container has no seal.
    let waits = [
        "/podseal",
        "run",
        "--name=x",
        "--listen=@x",
        "--",
        "/podseal",
        "echo",
    ];
    lab.podman(&[&["exec", "--detach", "podseal-it"], &waits[..]].concat());
    let joined = eventually(BOUND, || {
        let ended = ask(&["status", "it"]);
        ended.stdout.contains("[process-joined]").then_some(ended)
    });
    let ended = joined.unwrap_or_else(|| panic!("{:?}", ask(&["status", "it"])));
    ended.expect(1, &[]);
    assert!(ended.stdout.contains("NOT SEALED"), "{ended:?}");
    run.stop().expect(0, &["stopped"]);
    lab.expect_nothing_left();
}

#[test]
fn container_as_root() {
    as_root("status of a container, as root", container);
}

#[test]
fn container_as_user() {
    as_user("status of a container, as a user", container);
}

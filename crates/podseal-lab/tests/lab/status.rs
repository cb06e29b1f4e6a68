//! `podseal status` and `podseal list` of services that systemd runs.

use serde_json::Value;

use crate::machine::{Ended, IMAGE, Machine};

/// A service with a socket of its own, and both taken down at the end.
struct Units<'a> {
    machine: &'a Machine,
    name: &'static str,
    socket: String,
}

impl<'a> Units<'a> {
    fn new(machine: &'a Machine, name: &'static str, port: u16, service: &str) -> Self {
        machine.make_image();
        let own = Self {
            machine,
            name,
            socket: format!("127.0.0.1/{port}"),
        };
        let directory = ".config/systemd/user";
        let socket = format!("[Socket]\nListenStream=127.0.0.1:{port}\n");
        machine.write(&[
            (format!("{directory}/{name}.socket"), socket.as_str()),
            (format!("{directory}/{name}.service"), service),
        ]);
        own.user("systemctl --user daemon-reload");
        own
    }

    /// With NAME for the service's name.
    fn try_user(&self, script: &str) -> Ended {
        self.machine.user(&script.replace("NAME", self.name))
    }

    fn user(&self, script: &str) -> String {
        self.try_user(script).text().to_owned()
    }

    fn talk(&self) {
        let socket = &self.socket;
        let talk =
            format!("exec bash -c 'exec 3<>/dev/tcp/{socket}; echo hello >&3; head -n 1 <&3'");
        let said = self.try_user(&talk);
        let journal = self.machine.journal(&format!("{}.service", self.name));
        assert!(said.stdout.contains("hello"), "{said:?}\n{journal}");
    }

    /// What `podseal status` says, and its exit status.
    fn status(&self) -> (Value, Option<i32>) {
        let ended = self.try_user("podseal status --format=json NAME");
        let document: Value =
            serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {ended:?}"));
        (document["systemd"][0]["units"][0].clone(), ended.code)
    }

    fn expect(&self, code: i32, live: &str, level: Option<&str>, problems: &[&str]) -> Value {
        let (service, ended) = self.status();
        assert_eq!(ended, Some(code), "{service:#}");
        assert_eq!(service["live"], live, "{service:#}");
        assert_eq!(service["level"].as_str(), level, "{service:#}");
        let found = service["problems"].as_array().unwrap();
        let found: Vec<&str> = found.iter().map(|p| p["id"].as_str().unwrap()).collect();
        assert_eq!(found, problems, "{service:#}");
        service
    }

    fn listed(&self) -> String {
        let listed = self.user("podseal list");
        let own = format!("{}.service ", self.name);
        let row = listed.lines().find(|line| line.starts_with(&own));
        row.unwrap_or_else(|| panic!("{listed}")).to_owned()
    }
}

impl Drop for Units<'_> {
    fn drop(&mut self) {
        self.try_user(
            "systemctl --user stop 'NAME*.socket' 'NAME*.service'; \
             cd ~/.config/systemd/user && rm -rf NAME.socket NAME.service NAME.service.d; \
             systemctl --user daemon-reload; systemctl --user reset-failed 'NAME*'",
        );
    }
}

fn service(more: &str) -> String {
    format!(
        "[Service]\nExecStart=/usr/bin/podman --runtime=runc run --rm --network=none \
         --pull=never --cgroups=split {more} {IMAGE} echo\n"
    )
}

#[test]
fn a_sealed_service() {
    let Some(machine) = Machine::shared("status of a sealed service") else {
        return;
    };
    let units = Units::new(&machine, "st-sealed", 7701, &service(""));
    units.user("podseal seal NAME && systemctl --user start NAME.socket");
    units.expect(0, "no-processes", Some("standard"), &[]);
    units.talk();
    let status = units.expect(0, "as-promised", Some("standard"), &[]);
    let processes = status["processes"].as_array().unwrap();
    for role in ["conmon", "container"] {
        let process = processes.iter().find(|p| p["role"] == role);
        let process = process.unwrap_or_else(|| panic!("{role}: {status:#}"));
        assert!(process["filters"].as_u64() >= Some(4), "{process}");
        let inherited = &process["sockets"][0];
        assert_eq!(inherited["local"], "127.0.0.1:7701", "{process}");
        assert_eq!(inherited["in_own_network"], true, "{process}");
    }
    assert_eq!(status["sockets"][0]["waiting"][0], 0);
    assert_eq!(status["container"]["image"], format!("{IMAGE}:latest"));
    let families = "AF_NETLINK AF_UNIX";
    assert_eq!(status["systemd"]["restrict_address_families"], families);
    let row = units.listed();
    for word in [
        "user",
        "standard",
        "active (running)",
        "127.0.0.1:7701 (running)",
    ] {
        assert!(row.contains(word), "{row}");
    }
    let refused = units.try_user("podseal stop NAME");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let command = "systemctl --user stop st-sealed.service";
    assert!(refused.stderr.contains(command), "{refused:?}");
    assert_eq!(units.try_user("podseal status no-such").code, Some(4));
}

/// The processes are those from before: whatever the files say, they are not
/// sealed.
#[test]
fn a_service_that_was_started_before_its_seal() {
    let Some(machine) = Machine::shared("status of a seal that came later") else {
        return;
    };
    let units = Units::new(&machine, "st-later", 7702, &service(""));
    units.user("systemctl --user start NAME.socket");
    units.talk();
    units.expect(0, "nothing-promised", None, &[]);
    units.user("podseal seal NAME");
    let (status, code) = units.status();
    assert_eq!((code, &status["live"]), (Some(1), &Value::from("less")));
    assert_eq!(status["level"], Value::Null, "{status:#}");
    assert_eq!(status["promised_level"], "standard");
    assert_eq!(
        status["problems"][0]["id"], "started-before-seal",
        "{status:#}"
    );
    assert!(units.listed().contains("NOT SEALED"));
    units.user("systemctl --user restart NAME.service");
    machine.wait_for_state("st-later.service", "active");
    units.talk();
    units.expect(0, "as-promised", Some("standard"), &[]);
}

/// One that was sealed in part runs on with that, when more is added.
#[test]
fn the_recipe_by_hand() {
    let Some(machine) = Machine::shared("status of the recipe") else {
        return;
    };
    machine.make_image();
    let generated = machine.user(&format!(
        "podman create --name st-recipe --runtime=runc --network=none --pull=never {IMAGE} echo \
         > /dev/null && podman generate systemd --new --name st-recipe && podman rm st-recipe \
         > /dev/null"
    ));
    let by_sed = generated.text().replacen(
        "[Service]\n",
        "[Service]\nRestrictAddressFamilies=AF_UNIX AF_NETLINK\nNoNewPrivileges=yes\n\
         ExecStartPre=+/usr/bin/podman unshare /bin/true\n",
        1,
    );
    let units = Units::new(&machine, "st-recipe", 7703, &by_sed);
    units.user("systemctl --user start NAME.socket");
    units.talk();
    let status = units.expect(0, "as-promised", None, &[]);
    assert_eq!(status["sealed"], false);
    assert_eq!(
        status["lacking"],
        serde_json::json!(["native-abi", "no-io-uring"])
    );
    assert!(units.listed().contains("in part"), "{}", units.listed());

    units.user("podseal seal --level=families NAME");
    let (status, code) = units.status();
    assert_eq!(
        (code, &status["level"]),
        (Some(1), &Value::Null),
        "{status:#}"
    );
    assert_eq!(status["problems"][0]["id"], "started-before-seal");
}

#[test]
fn a_process_that_joined_from_outside() {
    let Some(machine) = Machine::shared("status with podman exec") else {
        return;
    };
    let units = Units::new(
        &machine,
        "st-exec",
        7704,
        &service("--name=st-exec --replace"),
    );
    units.user("podseal seal NAME && systemctl --user start NAME.socket");
    units.talk();
    units.expect(0, "as-promised", Some("standard"), &[]);
    units.user(
        "podman exec --detach st-exec /podseal run --name=x --listen=@x -- /podseal echo; \
         until podseal status NAME | grep -q process-joined; do sleep 0.05; done",
    );
    units.expect(1, "less", None, &["process-joined"]);
}

#[test]
fn a_failed_service() {
    let Some(machine) = Machine::shared("status of a failed service") else {
        return;
    };
    let failing = service("").replace(IMAGE, "localhost/no-such-image");
    let units = Units::new(&machine, "st-failed", 7705, &failing);
    units.user("podseal seal NAME && systemctl --user start NAME.socket");
    units.try_user("systemctl --user start NAME.service");
    machine.wait_for_state("st-failed.service", "failed");
    let (status, code) = units.status();
    assert_eq!(code, Some(3), "{status:#}");
    let problem = &status["problems"][0];
    assert_eq!(problem["id"], "failed", "{status:#}");
    let said = units.try_user("podseal status NAME");
    assert!(
        said.stdout.contains("podseal explain st-failed.service"),
        "{said:?}"
    );
}

#[test]
fn an_instance_of_a_template() {
    let Some(machine) = Machine::shared("status of an instance") else {
        return;
    };
    let units = Units::new(
        &machine,
        "st-inst@",
        7706,
        &service("--name=st-%i --replace"),
    );
    units.user("podseal seal NAME && systemctl --user start st-inst@one.socket");
    units.talk();
    let ended = machine.user("podseal status --format=json st-inst@one");
    let document: Value = serde_json::from_str(ended.text()).unwrap();
    let status = &document["systemd"][0]["units"][0];
    assert_eq!(status["unit"], "st-inst@one.service", "{status:#}");
    assert_eq!(status["level"], "standard", "{status:#}");
    assert!(
        machine
            .user("podseal list")
            .text()
            .contains("st-inst@one.service")
    );
    machine
        .user("systemctl --user stop st-inst@one.socket st-inst@one.service")
        .text();
}

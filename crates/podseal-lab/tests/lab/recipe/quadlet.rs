//! Sealed services of Quadlet: their sockets, and templates.

use super::{IMAGE, UNITS};
use crate::machine::Machine;

const CONTAINERS: &str = ".config/containers/systemd";

/// Asks over every kind of socket in turn.
const CLIENT: &str = r#"
use IO::Socket::IP; use IO::Socket::UNIX;
for my $address (@ARGV) {
    my $socket = $address =~ m{^/} ? IO::Socket::UNIX->new(Peer => $address)
        : IO::Socket::IP->new(PeerHost => $address, PeerPort => 7111);
    die "$address: $!\n" if !$socket;
    print $socket "to $address\n"; $socket->flush;
    print scalar <$socket>;
}
"#;

fn ask(machine: &Machine, addresses: &[&str], unit: &str) {
    machine.write(&[("client.pl", CLIENT)]);
    let heard = machine.user(&format!("perl client.pl {}", addresses.join(" ")));
    let expected: Vec<String> = addresses.iter().map(|a| format!("to {a}\n")).collect();
    assert_eq!(
        heard.stdout,
        expected.concat(),
        "{heard:?}\n{}",
        machine.journal(unit)
    );
}

#[test]
fn a_sealed_service_of_quadlet_serves_all_of_its_sockets() {
    let Some(machine) = Machine::shared("Quadlet") else {
        return;
    };
    if !machine.has_quadlet("a sealed service of Quadlet") {
        return;
    }
    machine.make_image();
    // Open, as somebody has it who knows of no seal.
    let container = format!(
        "[Container]\nImage={IMAGE}\nExec=echo\nGlobalArgs=--runtime=runc\n\
         [Quadlet]\nDefaultDependencies=false\n"
    );
    let run = "/run/user/1000";
    machine.write(&[
        (format!("{CONTAINERS}/quad.container"), container.as_str()),
        (
            format!("{UNITS}/quad.socket"),
            "[Socket]\nListenStream=127.0.0.1:7111\nListenStream=[::1]:7111\n\
             ListenStream=%t/quad.sock\n",
        ),
    ]);
    machine.user("systemctl --user daemon-reload").text();
    let refused = machine.user("podseal seal quad.container");
    assert!(refused.stderr.contains("network-not-none"), "{refused:?}");
    let sealed = machine.user("podseal seal --fix quad.container");
    assert_eq!(sealed.code, Some(0), "{sealed:?}");
    let start = machine.user("systemctl --user cat quad.service");
    for words in ["podseal enter", "--network none", "--pull never"] {
        assert!(start.text().contains(words), "{words}: {start:?}");
    }
    machine.user("systemctl --user start quad.socket").text();
    let addresses = ["127.0.0.1", "::1", &format!("{run}/quad.sock")];
    ask(&machine, &addresses, "quad.service");
    let network =
        machine.user("podman inspect --format '{{.HostConfig.NetworkMode}}' systemd-quad");
    assert_eq!(network.text(), "none");
    machine
        .user("systemctl --user stop quad.socket quad.service && podseal unseal quad.container")
        .text();
    let left = format!("ls -d {CONTAINERS}/quad.container.d {UNITS}/quad.service.d");
    assert_eq!(machine.user(&left).stdout, "");
    machine
        .user(&format!(
            "rm {CONTAINERS}/quad.container {UNITS}/quad.socket && systemctl --user daemon-reload"
        ))
        .text();
}

#[test]
fn the_instances_of_a_sealed_template_are_sealed() {
    let Some(machine) = Machine::shared("a template") else {
        return;
    };
    if !machine.has_quadlet("a sealed template of Quadlet") {
        return;
    }
    machine.make_image();
    let container = format!(
        "[Container]\nImage={IMAGE}\nExec=echo\nNetwork=none\nPull=never\n\
         GlobalArgs=--runtime=runc\n[Quadlet]\nDefaultDependencies=false\n"
    );
    machine.write(&[
        (format!("{CONTAINERS}/many@.container"), container.as_str()),
        (
            format!("{UNITS}/many@.socket"),
            "[Socket]\nListenStream=%t/many-%i.sock\n",
        ),
    ]);
    machine
        .user(
            "systemctl --user daemon-reload && podseal seal many@ && \
             systemctl --user start many@one.socket many@two.socket",
        )
        .text();
    let run = "/run/user/1000";
    for instance in ["one", "two"] {
        let unit = format!("many@{instance}.service");
        ask(&machine, &[&format!("{run}/many-{instance}.sock")], &unit);
        let shown = machine.user(&format!(
            "systemctl --user show --property=SystemCallArchitectures,DropInPaths {unit}"
        ));
        assert!(
            shown.text().contains("SystemCallArchitectures=native"),
            "{shown:?}"
        );
        assert!(
            shown.text().contains("many@.service.d/50-podseal.conf"),
            "{shown:?}"
        );
    }
    machine
        .user(&format!(
            "systemctl --user stop 'many@*' && podseal unseal many@ && \
             rm {CONTAINERS}/many@.container {UNITS}/many@.socket && systemctl --user daemon-reload"
        ))
        .text();
}

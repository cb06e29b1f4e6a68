//! A `.container` file into the service that the generator makes of it.

use std::collections::BTreeSet;

use super::command::PodmanCommand;
use super::groups::Generated;
use super::image::{Image, image_warning};
use super::resource::{self, Resources, container_name, has_type};
use super::services::{Builder, error};
use super::values::Value;
use super::{Generator, QuadletError, QuadletFile, keys, mappings, options};
use crate::unit::effective::Scope;

/// What a translation depends on besides the file.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Which manager's generator.
    pub scope: Scope,
    /// Its version.
    pub generator: Generator,
    /// The files that this one may refer to, [`resource::references`].
    pub resources: &'a Resources,
    /// Those of [`resource::optional_devices`] that do not exist.
    pub missing_devices: &'a BTreeSet<String>,
}

/// The service made of a `.container` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerService {
    /// Its unit file.
    pub unit: Generated,
    /// The command of its `ExecStart=`.
    pub podman: PodmanCommand,
    /// What the generator warns of.
    pub warnings: Vec<QuadletError>,
}

/// Translates a file, its drop-ins merged in.
///
/// # Errors
/// The generator makes no service of it.
pub fn translate(
    file: &QuadletFile,
    surroundings: &Surroundings<'_>,
) -> Result<ContainerService, QuadletError> {
    let mut builder = Builder {
        file,
        resources: surroundings.resources,
        scope: surroundings.scope,
        generator: surroundings.generator,
        service: file.groups.clone(),
        origin: file.section_origin("Container"),
    };
    keys::check(file, surroundings.generator)?;
    builder.begin()?;
    let podman = builder.container(surroundings.missing_devices)?;
    Ok(ContainerService {
        unit: builder.service.to_file(),
        podman,
        warnings: image_warning(&builder),
    })
}

impl Builder<'_> {
    fn container(
        &mut self,
        missing_devices: &BTreeSet<String>,
    ) -> Result<PodmanCommand, QuadletError> {
        let image = self.image()?;
        if self.generator == Generator::V5_4 {
            self.require_storage();
        }
        let name = container_name(self.file, self.generator);
        let name_origin = self.section().text("ContainerName").map(|v| v.origin);
        self.add("Service", "Environment", "PODMAN_SYSTEMD_UNIT=%n");
        self.kill_mode()?;
        let has_id_file = self.generator == Generator::V5_4;
        let mut stop = self.podman();
        stop.add(["rm", "-v", "-f", "-i"], None);
        if has_id_file {
            stop.add(["--cidfile=%t/%N.cid"], None);
        } else {
            stop.add([&name], None);
        }
        self.add_command("ExecStop", "", &stop);
        self.add_command("ExecStopPost", "-", &stop);
        self.reload(&name)?;

        let mut podman = self.podman();
        podman.add(["run"], None);
        podman.add(["--name", &name], name_origin.as_ref());
        if has_id_file {
            podman.add(["--cidfile=%t/%N.cid"], None);
        }
        podman.add(["--replace"], None);
        podman.add(["--rm"], None);
        self.log(&mut podman);
        self.add("Service", "Delegate", "yes");
        match self.section().text("CgroupsMode") {
            Some(mode) => podman.add(["--cgroups", &mode.text], Some(&mode.origin)),
            None => podman.add(["--cgroups=split"], None),
        }
        let section = self.section();
        options::text(&section, options::TEXT, &mut podman);
        options::entrypoint(&section, &mut podman);
        options::all(&section, options::ALL, &mut podman);
        options::switches(&section, options::SWITCHES, &mut podman);
        self.networks(&mut podman)?;
        self.service_type(&mut podman)?;
        if self
            .file
            .groups
            .last("Service", "SyslogIdentifier")
            .is_none()
        {
            self.set("Service", "SyslogIdentifier", "%N");
        }
        self.restrictions(missing_devices, &mut podman);
        let section = self.section();
        mappings::user(&section, &mut podman)?;
        mappings::mappings(&section, &mut podman)?;
        self.volumes(&mut podman)?;
        self.update_and_ports(&mut podman)?;
        let section = self.section();
        options::pairs(&section, &mut podman);
        self.files_and_secrets(&mut podman);
        self.mounts(&mut podman)?;
        options::text(&self.section(), options::HEALTH, &mut podman);
        self.pod(&mut podman)?;
        for Value { text, origin } in self.section().arguments("PodmanArgs") {
            podman.add([&text], Some(&origin));
        }
        self.program(&image, &mut podman);
        let value = podman.to_value(self.generator);
        self.service
            .add("Service", "ExecStart", &value, &image.origin);
        Ok(podman)
    }

    /// The beginning of every Podman command.
    fn podman(&self) -> PodmanCommand {
        let mut podman = PodmanCommand::default();
        podman.add(["/usr/bin/podman"], None);
        for Value { text, origin } in self.section().all("ContainersConfModule") {
            podman.add([&format!("--module={text}")], Some(&origin));
        }
        for Value { text, origin } in self.section().arguments("GlobalArgs") {
            podman.add([&text], Some(&origin));
        }
        podman
    }

    fn kill_mode(&mut self) -> Result<(), QuadletError> {
        match self.section_of(&self.service, "Service").last("KillMode") {
            None => self.set("Service", "KillMode", "mixed"),
            Some(Value { text, .. }) if matches!(text.as_str(), "mixed" | "control-group") => {}
            Some(Value { text, origin }) => {
                return Err(error(&origin, format!("invalid KillMode '{text}'")));
            }
        }
        Ok(())
    }

    fn reload(&mut self, name: &str) -> Result<(), QuadletError> {
        let section = self.section();
        let signal = section.text("ReloadSignal");
        let command = section.last_arguments("ReloadCmd");
        let mut reload = self.podman();
        match (command.as_slice(), signal) {
            ([], None) => return Ok(()),
            ([_, ..], Some(signal)) => {
                return Err(error(
                    &signal.origin,
                    "ReloadCmd and ReloadSignal are mutually exclusive but both are set",
                ));
            }
            (words, None) => {
                reload.add(["exec", name], None);
                for Value { text, origin } in words {
                    reload.add([text], Some(origin));
                }
            }
            ([], Some(signal)) => {
                reload.add(
                    ["kill", "--signal", &signal.text, name],
                    Some(&signal.origin),
                );
            }
        }
        self.add_command("ExecReload", "", &reload);
        Ok(())
    }

    fn log(&self, podman: &mut PodmanCommand) {
        let section = self.section();
        if let Some(driver) = section.last("LogDriver") {
            podman.add(["--log-driver", &driver.text], Some(&driver.origin));
        }
        for option in section.strings("LogOpt") {
            podman.add(["--log-opt", &option.text], Some(&option.origin));
        }
    }

    fn networks(&mut self, podman: &mut PodmanCommand) -> Result<(), QuadletError> {
        for Value { text, origin } in self.section().all("Network") {
            let (name, options) = match text.split_once(':') {
                Some((name, options)) => (name, Some(options)),
                None => (text.as_str(), None),
            };
            let is_container = has_type(name, "container");
            if !is_container && !has_type(name, "network") {
                podman.add(["--network", &text], Some(&origin));
                continue;
            }
            let missing = format!("requested Quadlet unit {name} was not found");
            let resource = self.require(name, &origin, &missing)?;
            if resource.is_empty() {
                let message = format!("cannot get the resource name of {name}");
                return Err(error(&origin, message));
            }
            let network = match options {
                Some(_) if is_container => {
                    return Err(error(
                        &origin,
                        "extra options are not supported when joining another container's network",
                    ));
                }
                Some(options) => format!("{resource}:{options}"),
                None if is_container => format!("container:{resource}"),
                None => resource,
            };
            podman.add(["--network", &network], Some(&origin));
        }
        Ok(())
    }

    /// `Type=` and who tells systemd that the service is ready.
    fn service_type(&mut self, podman: &mut PodmanCommand) -> Result<(), QuadletError> {
        let service_type = self.section_of(&self.service, "Service").last("Type");
        match &service_type {
            Some(Value { text, .. }) if text == "oneshot" => return Ok(()),
            Some(Value { text, origin }) if text != "notify" => {
                return Err(error(origin, format!("invalid service Type '{text}'")));
            }
            _ => {}
        }
        let notify = self.section().last("Notify");
        let origin = notify.as_ref().map(|value| &value.origin);
        let is_healthy = notify
            .as_ref()
            .is_some_and(|value| value.text.eq_ignore_ascii_case("healthy"));
        let how = if is_healthy {
            "--sdnotify=healthy"
        } else if self.section().is_on("Notify", false) {
            "--sdnotify=container"
        } else {
            "--sdnotify=conmon"
        };
        podman.add([how], origin);
        podman.add(["-d"], None);
        self.set("Service", "Type", "notify");
        self.set("Service", "NotifyAccess", "all");
        Ok(())
    }

    /// Labels, devices, filters and the file system.
    fn restrictions(&self, missing_devices: &BTreeSet<String>, podman: &mut PodmanCommand) {
        let section = self.section();
        options::security(&section, podman);
        for Value { text, origin } in section.strings("AddDevice") {
            let device = match text.strip_prefix('-') {
                Some(device) if missing_devices.contains(resource::device_path(device)) => continue,
                Some(device) => device,
                None => &text,
            };
            podman.add(["--device", device], Some(&origin));
        }
        for (key, prefix) in [("SeccompProfile", "seccomp="), ("AppArmor", "apparmor=")] {
            if let Some(Value { text, origin }) = section.last(key) {
                podman.add(
                    ["--security-opt", &format!("{prefix}{text}")],
                    Some(&origin),
                );
            }
        }
        options::capabilities(&section, podman);
        let read_only = section.boolean("ReadOnly");
        if let Some((on, origin)) = &read_only {
            podman.add_switch("--read-only", *on, origin);
        }
        if let (Some((true, origin)), None | Some((false, _))) =
            (section.boolean("VolatileTmp"), read_only)
        {
            podman.add(["--tmpfs", "/tmp:rw,size=512M,mode=1777"], Some(&origin));
        }
    }

    fn update_and_ports(&self, podman: &mut PodmanCommand) -> Result<(), QuadletError> {
        let section = self.section();
        if let Some(Value { text, origin }) = section.text("AutoUpdate") {
            let label = format!("io.containers.autoupdate={text}");
            podman.add(["--label", &label], Some(&origin));
        }
        for Value { text, origin } in section.all("ExposeHostPort") {
            let port = text.trim();
            if !is_port_range(port) {
                return Err(error(&origin, format!("invalid port format '{port}'")));
            }
            podman.add(["--expose", port], Some(&origin));
        }
        options::all(&section, &[("PublishPort", "--publish")], podman);
        Ok(())
    }

    fn files_and_secrets(&self, podman: &mut PodmanCommand) {
        let section = self.section();
        for (key, prefix) in [("Mask", "mask="), ("Unmask", "unmask=")] {
            for Value { text, origin } in section.arguments(key) {
                podman.add(
                    ["--security-opt", &format!("{prefix}{text}")],
                    Some(&origin),
                );
            }
        }
        for Value { text, origin } in section.arguments("EnvironmentFile") {
            podman.add(["--env-file", &self.absolute(&text)], Some(&origin));
        }
        for Value { text, origin } in section.arguments("Secret") {
            podman.add(["--secret", &text], Some(&origin));
        }
    }

    fn pod(&mut self, podman: &mut PodmanCommand) -> Result<(), QuadletError> {
        let Some(Value { text, origin }) = self.section().text("Pod") else {
            return Ok(());
        };
        if !has_type(&text, "pod") {
            return Err(error(&origin, format!("pod {text} is not Quadlet based")));
        }
        let Some(pod) = self.resources.get(&text) else {
            let message = format!("quadlet pod unit {text} does not exist");
            return Err(error(&origin, message));
        };
        if self.generator > Generator::V5_4 {
            podman.add(["--pod", &pod.name], Some(&origin));
        } else {
            let service = pod.service.trim_end_matches(".service");
            let file = format!("%t/{service}.pod-id");
            podman.add(["--pod-id-file", &file], Some(&origin));
        }
        for key in ["BindsTo", "After"] {
            self.service.add("Unit", key, &pod.service, &origin);
        }
        Ok(())
    }

    /// The image and what runs in it.
    fn program(&self, image: &Image, podman: &mut PodmanCommand) {
        podman.arguments.push(super::command::Argument {
            words: image.words.clone(),
            origin: Some(image.origin.clone()),
        });
        for Value { text, origin } in self.section().last_arguments("Exec") {
            podman.add([&text], Some(&origin));
        }
    }
}

/// Whether a text ends in a port or a range of ports.
fn is_port_range(text: &str) -> bool {
    let port = text.strip_suffix("/udp").or(text.strip_suffix("/tcp"));
    port.unwrap_or(text).ends_with(|c: char| c.is_ascii_digit())
}

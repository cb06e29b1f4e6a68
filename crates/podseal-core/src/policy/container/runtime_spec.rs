//! The profile as an OCI runtime reads it: `linux.seccomp` in the config.json of
//! a bundle, see config-linux.md of the OCI runtime specification.

use serde_json::{Map, Value, json};

use super::ProfileError;
use crate::policy::architecture::Architecture;

/// What Podman makes of `profile` for a container without capabilities on
/// `architecture`: rules that are for others are left out.
///
/// # Errors
/// It is no profile.
pub fn linux_seccomp(profile: &str, architecture: Architecture) -> Result<Value, ProfileError> {
    let profile: Map<String, Value> = serde_json::from_str(profile)?;
    let Some(Value::Array(rules)) = profile.get("syscalls") else {
        return Err(ProfileError::Lacks("\"syscalls\""));
    };
    let (token, name) = names(architecture);
    let mut made = Map::new();
    for key in ["defaultAction", "defaultErrnoRet", "flags", "architectures"] {
        copy(&profile, &mut made, key);
    }
    if let Some(Value::Array(entries)) = profile.get("archMap") {
        let own = entries
            .iter()
            .filter(|entry| entry["architecture"] == token);
        let architectures: Vec<Value> = own
            .flat_map(|entry| {
                std::iter::once(&entry["architecture"]).chain(list(&entry["subArchitectures"]))
            })
            .cloned()
            .collect();
        made.insert("architectures".to_owned(), architectures.into());
    }
    let rules = rules.iter().filter(|rule| is_for(rule, name)).map(|rule| {
        let mut made = Map::new();
        let names = rule.get("names").cloned();
        let names = names.or_else(|| Some(json!([rule.get("name")?])));
        made.insert("names".to_owned(), names.unwrap_or_default());
        for key in ["action", "errnoRet", "args"] {
            rule.as_object()
                .into_iter()
                .for_each(|rule| copy(rule, &mut made, key));
        }
        Value::Object(made)
    });
    let rules: Vec<Value> = rules.collect();
    made.insert("syscalls".to_owned(), rules.into());
    Ok(Value::Object(made))
}

/// An architecture as libseccomp and as Go call it.
const fn names(architecture: Architecture) -> (&'static str, &'static str) {
    match architecture {
        Architecture::X86_64 => ("SCMP_ARCH_X86_64", "amd64"),
        Architecture::Aarch64 => ("SCMP_ARCH_AARCH64", "arm64"),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn copy(from: &Map<String, Value>, to: &mut Map<String, Value>, key: &str) {
    if let Some(value) = from.get(key).filter(|value| !value.is_null()) {
        to.insert(key.to_owned(), value.clone());
    }
}

/// Whether a rule is for containers without capabilities, on this architecture.
fn is_for(rule: &Value, architecture: &str) -> bool {
    let names = |condition: &str, of: &str| -> Vec<&Value> { list(&rule[condition][of]).collect() };
    let wanted = names("includes", "arches");
    names("includes", "caps").is_empty()
        && (wanted.is_empty() || wanted.iter().any(|name| **name == architecture))
        && !names("excludes", "arches")
            .iter()
            .any(|name| **name == architecture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_other_containers_and_machines_are_left_out() {
        let profile = json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": 38,
            "defaultErrno": "ENOSYS",
            "archMap": [
                {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
                {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
            ],
            "syscalls": [
                {"names": ["a", "b"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "x"},
                {"name": "c", "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": [], "includes": {}},
                {"names": ["d"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
                {"names": ["e"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
                {"names": ["f"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
                {"names": ["g"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
            ],
        });
        let text = profile.to_string();
        let made = linux_seccomp(&text, Architecture::X86_64).expect("a profile");
        let allowed = |name: &str| json!({"names": [name], "action": "SCMP_ACT_ALLOW"});
        assert_eq!(
            made,
            json!({
                "defaultAction": "SCMP_ACT_ERRNO",
                "defaultErrnoRet": 38,
                "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
                "syscalls": [
                    {"names": ["a", "b"], "action": "SCMP_ACT_ALLOW"},
                    {"names": ["c"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": []},
                    allowed("e"),
                    allowed("f"),
                ],
            })
        );
        let made = linux_seccomp(&text, Architecture::Aarch64).expect("a profile");
        assert_eq!(made["architectures"], json!(["SCMP_ARCH_AARCH64"]));
        assert_eq!(made["syscalls"][3], allowed("g"));
    }

    #[test]
    fn what_is_no_profile() {
        for text in ["", "[]", "{}"] {
            assert!(
                linux_seccomp(text, Architecture::X86_64).is_err(),
                "{text:?}"
            );
        }
    }
}

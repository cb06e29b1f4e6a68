//! What `podman info` says.

use podseal_core::doctor::facts::{Info, Trial};
use serde_json::Value;

/// Reads its JSON. What some version does not say is "unknown".
pub(super) fn read(said: Trial<&str>) -> Trial<Info> {
    Ok(said?.and_then(|text| {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let get = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let text = |pointer| get(pointer).unwrap_or("unknown").to_owned();
        let (Some(oci_runtime), Some(conmon), Some(storage)) = (
            get("/host/ociRuntime/path"),
            get("/host/conmon/path"),
            get("/store/graphRoot"),
        ) else {
            return Err("`podman info` did not answer as expected".to_owned());
        };
        Ok(Info {
            cgroup_manager: text("/host/cgroupManager"),
            event_logger: text("/host/eventLogger"),
            log_driver: text("/host/logDriver"),
            storage_driver: text("/store/graphDriverName"),
            storage: storage.into(),
            oci_runtime: oci_runtime.into(),
            conmon: conmon.into(),
            seccomp_profile: get("/host/security/seccompProfilePath").map(Into::into),
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_what_counts_is_no_answer() {
        let whole = r#"{"host":{"conmon":{"path":"/c"},"ociRuntime":{"path":"/r"},"eventLogger":"file"},
            "store":{"graphRoot":"/s","graphDriverName":"overlay"}}"#;
        let info = read(Ok(Ok(whole))).unwrap().unwrap();
        assert_eq!(info.event_logger, "file");
        assert_eq!(info.log_driver, "unknown");
        for text in ["", "{}", "[1]", r#"{"host":{"conmon":{"path":"/c"}}}"#] {
            assert!(read(Ok(Ok(text))).unwrap().is_err(), "{text}");
        }
    }
}

//! Effects of podseal: processes, Podman, the supervisor.
#![forbid(unsafe_code)]

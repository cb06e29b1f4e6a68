//! Whom a process is started as.

/// A user that root starts a process as.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// Real, effective and saved user id, which is not root's.
    pub uid: u32,
    /// Real, effective and saved group id.
    pub gid: u32,
    /// All supplementary groups.
    pub groups: &'a [u32],
}

// linux/capability.h
const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// The same, allocated before fork(2).
pub(super) struct User {
    uid: libc::uid_t,
    gid: libc::gid_t,
    groups: Vec<libc::gid_t>,
}

impl User {
    pub(super) fn new(credentials: &Credentials<'_>) -> Self {
        Self {
            uid: credentials.uid,
            gid: credentials.gid,
            groups: credentials.groups.to_vec(),
        }
    }

    /// Gives up everything that the caller is and the user is not. By system
    /// calls, since the C library's functions look after threads. False leaves
    /// the reason in errno.
    pub(super) fn become_for_good(&self) -> bool {
        let Self { uid, gid, groups } = self;
        // SAFETY: the array is valid for its length.
        let set = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
        // SAFETY: takes numbers only.
        if set < 0 || unsafe { libc::syscall(libc::SYS_setresgid, *gid, *gid, *gid) } < 0 {
            return false;
        }
        // SAFETY: takes numbers only.
        if unsafe { libc::syscall(libc::SYS_setresuid, *uid, *uid, *uid) } < 0 {
            return false;
        }
        // setresuid(2) leaves the inheritable set, and with
        // SECBIT_NO_SETUID_FIXUP all of them. The ambient set goes with the
        // permitted one. The bounding set stays: newuidmap needs it.
        let mut header = [LINUX_CAPABILITY_VERSION_3, 0];
        let none = [0u32; 6];
        // SAFETY: a header of two words, and the two times three of this version.
        if unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), none.as_ptr()) } < 0 {
            return false;
        }
        // A new one instead of the caller's session keyring, whose keys it could
        // read. That fails where there are no keyrings.
        // SAFETY: takes numbers only; no name makes it anonymous.
        unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, 0) };
        // SAFETY: takes a number and cannot fail.
        unsafe { libc::umask(0o022) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spawn::{Spawn, spawn};
    use std::ffi::CString;
    use std::fs::File;
    use std::io::{self, Read as _};
    use std::os::fd::AsFd as _;
    use std::ptr;

    fn c(text: &str) -> CString {
        CString::new(text).unwrap()
    }

    #[test]
    fn a_user_that_is_become_has_nothing_of_root() {
        // SAFETY: takes no argument and cannot fail.
        if unsafe { libc::geteuid() } != 0 {
            return;
        }
        let null = File::open("/dev/null").unwrap();
        let (mut output, write) = io::pipe().unwrap();
        let script = "grep -E '^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapAmb):' /proc/self/status; umask; ls /root >/dev/null 2>&1 || echo closed";
        let pid = spawn(&Spawn {
            program: &c("/bin/sh"),
            arguments: &[c("sh"), c("-c"), c(script)],
            environment: &[c("PATH=/bin:/usr/bin")],
            stdio: [null.as_fd(), write.as_fd(), write.as_fd()],
            inherited: &[],
            directory: Some(c"/"),
            mark: None,
            credentials: Some(Credentials {
                uid: 65534,
                gid: 65533,
                groups: &[65533, 65531],
            }),
        })
        .unwrap();
        drop(write);
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        // SAFETY: waits for the child just made.
        unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
        let words: Vec<&str> = text.split_whitespace().collect();
        let none = "0000000000000000";
        let expected = [
            &["Uid:", "65534", "65534", "65534", "65534"][..],
            &["Gid:", "65533", "65533", "65533", "65533"],
            &["Groups:", "65531", "65533"],
            &["CapInh:", none, "CapPrm:", none, "CapEff:", none],
            &["CapAmb:", none, "0022", "closed"],
        ];
        assert_eq!(words, expected.concat());
    }
}

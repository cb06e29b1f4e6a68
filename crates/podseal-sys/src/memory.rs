//! How the C library gets memory from the kernel.

/// Has glibc ask for at least this many bytes at a time, see `M_TOP_PAD` in
/// mallopt(3). It otherwise asks page by page for threads other than the first, and
/// each time keeps all threads from touching new memory. What is not used costs
/// nothing.
pub fn ask_for(bytes: i32) {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes numbers only. Where it fails, all is as it was.
    unsafe {
        libc::mallopt(libc::M_TOP_PAD, bytes)
    };
    #[cfg(not(target_env = "gnu"))]
    let _ = bytes;
}

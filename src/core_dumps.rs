//! Keeps private keys out of core dumps: the process, and what it starts, writes none.
//!
//! On Linux nobody but root may then read its memory either, by `ptrace` or `/proc/PID/mem`.

/// Best effort: what the system refuses is no reason to do nothing.
pub fn disable() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        let _ = setrlimit(Resource::Core, none);
    }
    // The limit does not hold where `core_pattern` names a program; this does. See prctl(2), PR_SET_DUMPABLE.
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

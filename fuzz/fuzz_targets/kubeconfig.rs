#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    certctl_fuzz::kubeconfig(bytes);
});

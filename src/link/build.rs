//! What is done before the compiler: the names of services are packed, and on Linux the linker is told to
//! leave out what the program never reads and to put what a scan runs in one place. The program works
//! without that, so a linker that makes nothing of a script, as gold, is left alone: each is tried.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[path = "../service/registry/pack.rs"]
mod pack;

/// The names of services by port.
const NAMES: &str = "src/service/tcp-services.tsv";

fn main() {
    println!("cargo::rerun-if-changed=src/link");
    println!("cargo::rerun-if-changed=src/service/registry");
    println!("cargo::rerun-if-changed={NAMES}");
    let names = fs::read_to_string(NAMES).expect("the names of services");
    let packed = PathBuf::from(variable("OUT_DIR")).join("registry.rs");
    fs::write(packed, pack::pack(&names)).expect("the build's own directory");
    link();
}

/// Tells the linker.
fn link() {
    let is = |name: &str, value: &str| {
        env::var(name).is_ok_and(|all| all.split(',').any(|one| one == value))
    };
    // The program as it is released: there a panic aborts, see the profiles.
    let released = env::var_os("CARGO_FEATURE_CLI").is_some() && is("PROFILE", "release");
    if !released || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    let mut scripts = vec!["places.ld"];
    // Linked statically, GCC's unwinder aborts where a backtrace is asked for and its own tables are gone.
    if !is("CARGO_CFG_TARGET_ENV", "gnu") || !is("CARGO_CFG_TARGET_FEATURE", "crt-static") {
        scripts.push("tables.ld");
    }
    let mut taken = Vec::new();
    for script in scripts {
        let script = Path::new(&variable("CARGO_MANIFEST_DIR"))
            .join("src/link")
            .join(script);
        taken.push(format!("-T{}", script.display()));
        if !links(&taken) {
            taken.pop();
        }
    }
    for argument in taken {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}

/// Whether an empty program is linked with these arguments, and runs where that can be told.
fn links(arguments: &[String]) -> bool {
    let room = PathBuf::from(variable("OUT_DIR"));
    let (source, program) = (room.join("empty.rs"), room.join("empty"));
    if fs::write(&source, "fn main() {}\n").is_err() {
        return false;
    }
    let target = variable("TARGET");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .arg("--target")
        .arg(&target)
        .args(["-C", "panic=abort"]);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut flag = OsString::from("linker=");
        flag.push(linker);
        rustc.arg("-C").arg(flag);
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\u{1f}').filter(|flag| !flag.is_empty()));
    for argument in arguments {
        rustc.arg("-C").arg(format!("link-arg={argument}"));
    }
    rustc.arg("-o").arg(&program).arg(&source);
    succeeds(rustc) && (variable("HOST") != target || succeeds(Command::new(&program)))
}

fn succeeds(mut command: Command) -> bool {
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// One that cargo always sets.
fn variable(name: &str) -> OsString {
    env::var_os(name).unwrap_or_default()
}

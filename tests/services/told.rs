//! What the program tells of services.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::SSH;
use crate::hostile::Server;
use crate::program::{self, Ran};

/// The lines of ports in a text.
fn port_lines(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| line.starts_with("Port "))
        .collect()
}

#[test]
fn text_and_ndjson_tell_what_answers_and_it_is_read_back() {
    let ssh = Server::greets(SSH);
    let args = format!("-V -p {} 127.0.0.1", ssh.port);
    let ran = Ran::with(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let line = format!("Port {}: OPEN  ssh  OpenSSH 9.2p1 Debian", ssh.port);
    let told = port_lines(&ran.out);
    assert!(told.len() == 1 && told[0].starts_with(&line), "{}", ran.out);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("found.ndjson");
    let file = file.to_str().expect("UTF-8");
    let ran = Ran::with(&format!("{args} --format ndjson -o {file}"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let report = Ran::with(&format!("report {file}"));
    assert_eq!(port_lines(&report.out), told);
    let report = Ran::with(&format!("report --format ndjson {file}"));
    let service = &report.json("port")[0]["service"];
    assert_eq!(service["name"], "ssh");
    assert_eq!(service["manner"], "answers");
    assert_eq!(service["version"], "9.2p1");
    let saved = std::fs::read_to_string(file).expect("it is there");
    assert_eq!(program::json_lines(&saved)[1]["service"], *service);
    let table = Ran::with(&format!("report --format csv {file}"));
    assert!(table.out.contains(",OpenSSH,9.2p1,"), "{}", table.out);
    // Without the flag nothing is asked, and the field is a name.
    let plain = Ran::with(&format!("--format ndjson -p {} 127.0.0.1", ssh.port));
    assert!(!plain.json("port")[0]["service"].is_object());
}

/// The talks belong to a host's time: "finished in 0.00 seconds" was said after some of them.
#[test]
fn a_host_takes_as_long_as_its_last_talk() {
    let late = Duration::from_millis(400);
    let server = Server::new(move |mut stream| {
        thread::sleep(late);
        let _ = stream.write_all(SSH);
    });
    let ran = Ran::with(&format!("-V -p {} --format ndjson 127.0.0.1", server.port));
    let took = ran.json("host")[0]["elapsed_s"].as_f64();
    assert!(took >= Some(late.as_secs_f64()), "{}", ran.out);
}

/// What a server says drives no terminal and breaks no line.
#[test]
fn what_servers_say_is_escaped() {
    let title = "HTTP/1.1 200 OK\r\nServer: a\u{1b}[2J\u{202e}b\u{200b}\r\n\r\n\
                 <title>x\u{9b}1m\n\r\ty\u{2028}=cmd</title>";
    let servers = [
        Server::greets("SSH-2.0-Open\u{1b}]0;x\u{7}SSH_9\u{202e} \u{9b}2J\r\nPort 1: OPEN\r\n"),
        Server::answers(title),
        Server::greets("\u{1b}[31m\u{202e}220 \"quoted\",=1+1\r\n"),
    ];
    let ports: Vec<_> = servers
        .iter()
        .map(|server| server.port.to_string())
        .collect();
    for format in ["text -v", "ndjson", "csv"] {
        let ran = Ran::with(&format!(
            "-V -p {} --format {format} 127.0.0.1",
            ports.join(",")
        ));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let wild = |c: char| {
            (c.is_control() && !matches!(c, '\n' | '\r'))
                || matches!(c, '\u{202e}' | '\u{200b}' | '\u{2028}')
        };
        assert!(!ran.out.contains(wild), "{format}: {:?}", ran.out);
        assert!(!ran.out.lines().any(|line| line.starts_with("Port 1:")));
    }
}

/// Ten ports that do the same are called so; two that differ are not.
#[test]
fn a_host_whose_ports_are_all_alike_is_called_so() {
    let closes: Vec<_> = (0..10).map(|_| Server::closes()).collect();
    let typed = |servers: &[Server]| {
        let ports: Vec<_> = servers
            .iter()
            .map(|server| server.port.to_string())
            .collect();
        ports.join(",")
    };
    let ran = Ran::with(&format!(
        "-V -p {} --format ndjson 127.0.0.1",
        typed(&closes)
    ));
    let host = &ran.json("host")[0];
    assert_eq!(
        (&host["alike"], &host["alike_ports"]),
        (&"closes".into(), &10.into())
    );
    let ran = Ran::with(&format!("-V -p {} 127.0.0.1", typed(&closes)));
    let told = "suspect: all 10 open ports asked accept and close at once";
    assert!(ran.out.contains(told), "{}", ran.out);
    let same: Vec<_> = (0..8).map(|_| Server::greets("220 hello\r\n")).collect();
    let ran = Ran::with(&format!("-V -p {} 127.0.0.1", typed(&same)));
    assert!(
        ran.out
            .contains("suspect: all 8 open ports asked say the same"),
        "{}",
        ran.out
    );
    let ssh = Server::greets(SSH);
    let ports = format!("{},{}", typed(&same), ssh.port);
    let ran = Ran::with(&format!("-V -p {ports} --format ndjson 127.0.0.1"));
    assert!(ran.json("host")[0]["alike"].is_null());
}

/// Printers print what they are sent.
#[test]
fn printers_are_sent_nothing_unless_asked_for() {
    let port = (9100..=9107).find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    let Some(port) = port else {
        return println!("skipped: somebody has all of the printers' ports");
    };
    let heard = Arc::new(AtomicU64::new(0));
    let count = heard.clone();
    let _printer = Server::on(port, move |mut stream| {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = stream.read(&mut buffer) {
            count.fetch_add(n as u64, Ordering::SeqCst);
        }
    });
    let ran = Ran::with(&format!("-V -p {port} --format ndjson 127.0.0.1"));
    assert_eq!(ran.json("port")[0]["service"]["manner"], "unasked");
    assert_eq!(heard.load(Ordering::SeqCst), 0);
    let ran = Ran::with(&format!(
        "-V --ask-printers -p {port} --format ndjson 127.0.0.1"
    ));
    assert_eq!(ran.json("port")[0]["service"]["manner"], "silent");
    assert!(heard.load(Ordering::SeqCst) > 0);
}

#[test]
fn bad_rules_are_named_by_file_and_line() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("own.toml");
    std::fs::write(&file, "# mine\nnonsense = 1\n").expect("writable");
    let file = file.to_str().expect("UTF-8");
    let ran = Ran::with(&format!("-V --service-rules {file} -p 1 127.0.0.1"));
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.starts_with("error: --service-rules: "),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("own.toml:2"), "{}", ran.err);
    let ran = Ran::with("-V --service-rules /nowhere/own.toml -p 1 127.0.0.1");
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("cannot read /nowhere/own.toml"),
        "{}",
        ran.err
    );
    let ran = Ran::with(&format!("--service-rules {file} -p 1 127.0.0.1"));
    assert_eq!(ran.code, Some(2), "it is of no use without --services");
}

#[test]
fn the_version_is_still_told() {
    let ran = Ran::with("--version");
    let told = concat!("nishad ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((ran.code, &*ran.out), (Some(0), told));
}

/// Ctrl-C ends talks with what is known; the run that is gone on with asks the port again, and has
/// each port once.
#[cfg(unix)]
#[test]
fn talks_are_ended_by_ctrl_c_and_gone_on_with() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let (silent, ssh) = (Server::silent(), Server::greets(SSH));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("found.ndjson");
    let saved = dir.path().join("run");
    let start = |how: &str| {
        let child = std::process::Command::new(program::path())
            .args([
                "-V",
                "127.0.0.1",
                "-p",
                &format!("{},{}", silent.port, ssh.port),
            ])
            .args(["--quiet", how])
            .arg(&saved)
            .arg("-o")
            .arg(&file)
            .spawn();
        child.expect("the program starts")
    };
    let ports = || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let lines = program::json_lines(whole);
        let ports = lines.into_iter().filter(|line| line["type"] == "port");
        ports.collect::<Vec<_>>()
    };
    let mut child = start("--checkpoint");
    while ports().is_empty() {
        assert!(
            matches!(child.try_wait(), Ok(None)),
            "it ended before its time"
        );
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        ports()[0]["port"],
        ssh.port,
        "the silent one is still waited for"
    );
    let id = Pid::from_raw(child.id().try_into().expect("a process id"));
    kill(id, Signal::SIGINT).expect("it runs");
    let ended = child.wait().expect("it ends");
    assert_eq!(ended.code(), Some(130));
    let told = ports();
    assert_eq!(
        told.len(),
        2,
        "an open port is told whatever became of its talk"
    );
    assert_eq!(told[1]["port"], silent.port);
    let mut child = start("--resume");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let told = ports();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["service"]["name"], "ssh");
    assert_eq!(told[1]["service"]["manner"], "silent");
    let text = std::fs::read_to_string(&file).expect("it is there");
    let lines = program::json_lines(&text);
    let hosts = lines.iter().filter(|line| line["type"] == "host");
    assert_eq!(
        hosts.map(|host| host["open"].clone()).collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(lines[lines.len() - 1]["complete"], true);
}

/// What runs out on this machine costs time, and no service: talks are put back as probes are.
#[cfg(target_os = "linux")]
#[test]
fn failures_of_this_machine_are_no_answer() {
    let greets: Vec<_> = (0..6).map(|_| Server::greets(SSH)).collect();
    let closes: Vec<_> = (0..3).map(|_| Server::closes()).collect();
    let ports = greets.iter().chain(&closes);
    let ports: Vec<_> = ports.map(|server| server.port.to_string()).collect();
    let run = |wrapper: &[&str]| {
        let words = wrapper.iter().copied().chain([program::path()]);
        let words: Vec<_> = words.collect();
        let output = std::process::Command::new(words[0])
            .args(&words[1..])
            .args(["-V", "--quiet", "--format", "ndjson", "127.0.0.1", "-p"])
            .arg(ports.join(","))
            .output();
        let ran = Ran::from(output.expect("it was there a moment ago"));
        assert_eq!(ran.code, Some(0), "{wrapper:?}: {}", ran.err);
        let told = ran.json("port").into_iter().map(|line| {
            let service = &line["service"];
            let manner = (service["name"].clone(), service["manner"].clone());
            (line["port"].as_u64().expect("a port"), manner)
        });
        told.collect::<BTreeMap<_, _>>()
    };
    let plenty = run(&[]);
    assert_eq!(plenty.len(), 9);
    let is_there = |program: &str| {
        let there = std::process::Command::new(program)
            .arg("--version")
            .output();
        let there = there.is_ok_and(|output| output.status.success());
        let required = std::env::var("NISHAD_LAB").as_deref() == Ok("required");
        assert!(
            there || !required,
            "{program} is missing, and NISHAD_LAB=required"
        );
        if !there {
            println!("skipped in part: there is no {program}");
        }
        there
    };
    if is_there("prlimit") {
        assert_eq!(run(&["prlimit", "--nofile=16:16"]), plenty);
    }
    if is_there("strace") {
        for fault in [
            "socket:error=EMFILE:when=2..30+2",
            "socket:error=ENOBUFS:when=5..40+3",
            "connect:error=EADDRNOTAVAIL:when=12..40+2",
            "epoll_ctl:error=ENOMEM:when=5..40+4",
        ] {
            let inject = format!("--inject={fault}");
            let strace = ["strace", "-qq", "-o", "/dev/null", &inject];
            assert_eq!(run(&strace), plenty, "{fault}");
        }
    }
}

//! The program under test, and ports of this machine in every state.

#![allow(dead_code, reason = "each test file uses a part")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// The program, without what the surroundings of the tests may set for it.
pub fn nishad() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(path());
    command
        .env_remove("NO_COLOR")
        .timeout(Duration::from_secs(120));
    command
}

/// Where the program is.
pub fn path() -> &'static str {
    env!("CARGO_BIN_EXE_nishad")
}

/// What a run of the program came to.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Runs the program with `args`, separated by blanks, and no input.
    pub fn with(args: &str) -> Ran {
        nishad()
            .args(args.split_whitespace())
            .output()
            .expect("the program starts")
            .into()
    }

    /// The lines of NDJSON of one type.
    pub fn json(&self, kind: &str) -> Vec<Value> {
        json_lines(&self.out)
            .into_iter()
            .filter(|line| line["type"] == kind)
            .collect()
    }
}

impl From<std::process::Output> for Ran {
    fn from(output: std::process::Output) -> Ran {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Ran {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// Every line of `text` as JSON, which must be as the schema says.
pub fn json_lines(text: &str) -> Vec<Value> {
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "the last line is cut: {text}"
    );
    let lines = text.lines().map(|line| {
        let json = serde_json::from_str(line).expect(line);
        if let Err(error) = SCHEMA.validate(&json) {
            panic!("{error} at {}: {line}", error.instance_path())
        }
        json
    });
    lines.collect()
}

/// The schema of NDJSON in the repository.
static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(nishad::output::ndjson::JSON_SCHEMA).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
});

/// The four counts and their sum, which must be `planned`.
pub fn counts(line: &Value) -> [u64; 4] {
    let counts = ["open", "closed", "filtered", "unscanned"].map(|state| {
        line[state]
            .as_u64()
            .unwrap_or_else(|| panic!("no {state} in {line}"))
    });
    assert_eq!(
        line["planned"].as_u64(),
        Some(counts.iter().sum()),
        "{line}"
    );
    counts
}

/// A port of 127.0.0.1 that is open as long as this lives.
pub struct Open(TcpListener);

impl Open {
    pub fn new() -> Open {
        Open(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"))
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("bound").port()
    }
}

/// A port of 127.0.0.1 that is closed as long as this lives: bound, but not listening.
pub struct Closed(Socket);

impl Closed {
    pub fn new() -> Closed {
        Closed(bound())
    }

    pub fn port(&self) -> u16 {
        port(&self.0)
    }
}

/// A port of 127.0.0.1 that does not answer: its queue of connections is full. Linux drops SYNs
/// then.
pub struct Silent(Socket, Vec<TcpStream>);

impl Silent {
    pub fn new() -> Silent {
        let socket = bound();
        socket.listen(0).expect("listening");
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port(&socket)));
        let mut queued = Vec::new();
        // A backlog of n takes n + 1 connections; then nobody gets in.
        while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(300)) {
            queued.push(stream);
            assert!(queued.len() < 50, "the queue does not fill");
        }
        Silent(socket, queued)
    }

    pub fn port(&self) -> u16 {
        port(&self.0)
    }
}

fn bound() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .expect("a free port");
    socket
}

fn port(socket: &Socket) -> u16 {
    socket
        .local_addr()
        .expect("bound")
        .as_socket_ipv4()
        .expect("IPv4")
        .port()
}

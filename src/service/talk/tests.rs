use super::*;

/// A talk on virtual time with a server that is told what it does.
struct Play {
    talk: Talk,
    now: Instant,
    begun: Instant,
}

impl Play {
    fn new(port: u16) -> Play {
        let rules = Arc::new(Rules::new(&[]).expect("the built-in rules"));
        let options = Options {
            target: "www.example".into(),
            rtt: Some(Duration::from_millis(10)),
            ask_printers: false,
            wall: jiff::Timestamp::UNIX_EPOCH,
        };
        let now = Instant::now();
        let talk = Talk::new(rules, port, &options, now);
        Play {
            talk,
            now,
            begun: now,
        }
    }

    fn connect(&mut self) {
        assert_eq!(self.talk.want(), Want::Connect);
        self.talk.connected(self.now);
    }

    /// What is sent, once nothing more comes.
    fn sends(&mut self) -> Option<Vec<u8>> {
        let mut sent = Vec::new();
        loop {
            match self.talk.want() {
                Want::Send(bytes) => {
                    let count = bytes.len().min(7);
                    sent.extend_from_slice(&bytes[..count]);
                    self.talk.sent(self.now, count);
                }
                Want::Read(_) if sent.is_empty() => self.wait(),
                Want::Read(_) => return Some(sent),
                Want::Connect => self.talk.connected(self.now),
                Want::Done => return None,
            }
        }
    }

    fn wait(&mut self) {
        let until = self.talk.poll_timeout().expect("a deadline");
        self.now = self.now.max(until);
        self.talk.timeout(self.now);
    }

    fn says(&mut self, bytes: &[u8]) {
        self.talk.received(self.now, bytes);
    }

    fn service(self) -> Service {
        assert_eq!(self.talk.want(), Want::Done);
        assert_eq!(self.talk.poll_timeout(), None);
        self.talk.into_service()
    }
}

#[test]
fn a_greeting_is_enough() {
    let mut play = Play::new(2222);
    play.connect();
    play.says(b"SSH-2.0-OpenSSH_9.2p1 Deb");
    play.says(b"ian-2\r\n");
    assert_eq!(play.now, play.begun);
    let service = play.service();
    assert_eq!(service.label().as_deref(), Some("ssh"));
    assert_eq!(service.version.as_deref(), Some("9.2p1"));
    assert_eq!(service.manner, Manner::Answers);
    assert_eq!(service.probe.as_deref(), Some("greeting"));
    assert_eq!(
        service.evidence.as_deref(),
        Some("SSH-2.0-OpenSSH_9.2p1 Debian-2\\r\\n")
    );
}

#[test]
fn a_silent_port_is_asked_for_http_and_tls_and_left() {
    let mut play = Play::new(12345);
    play.connect();
    let asked = play.sends().expect("HTTP");
    assert!(asked.starts_with(b"GET / HTTP/1.1\r\nHost: www.example\r\n"));
    let asked = play.sends().expect("TLS");
    assert_eq!(asked[..2], [22, 3]);
    assert_eq!(play.sends(), None);
    assert!(play.now - play.begun <= play.talk.moments.total);
    assert_eq!(play.service().manner, Manner::Silent);
}

#[test]
fn printers_get_no_byte() {
    for port in [9100, 9107] {
        let mut play = Play::new(port);
        play.connect();
        assert_eq!(play.sends(), None);
        assert_eq!(play.service().manner, Manner::Unasked);
    }
}

#[test]
fn a_port_that_closes_or_resets_at_once_is_told_from_a_silent_one() {
    for (how, manner) in [
        (Ended::Closed, Manner::Closes),
        (Ended::Reset, Manner::Resets),
    ] {
        let mut play = Play::new(12345);
        let mut connections = 0;
        while play.talk.want() == Want::Connect {
            connections += 1;
            play.connect();
            play.talk.closed(play.now, how);
        }
        assert!(connections <= MAX_CONNECTIONS);
        assert_eq!(play.service().manner, manner);
    }
}

#[test]
fn endless_and_slow_servers_are_left_in_time() {
    for (every, count) in [(0, 1 << 14), (1, 1)] {
        let mut play = Play::new(12345);
        let junk = vec![b'\n'; count];
        let mut read = 0;
        loop {
            match play.talk.want() {
                Want::Done => break,
                Want::Connect => play.connect(),
                Want::Send(bytes) => {
                    let count = bytes.len();
                    play.talk.sent(play.now, count);
                }
                Want::Read(most) => {
                    play.says(&junk[..count.min(most)]);
                    read += count.min(most);
                    play.now += Duration::from_secs(every);
                    play.talk.timeout(play.now);
                }
            }
        }
        assert!(read <= MAX_READ);
        assert!(play.now - play.begun <= play.talk.moments.total + Duration::from_secs(3));
        assert_eq!(play.service().manner, Manner::Answers);
    }
}

#[test]
fn calls_that_do_not_fit_change_nothing() {
    let mut play = Play::new(12345);
    play.says(b"SSH-2.0-x\r\n");
    play.talk.sent(play.now, 7);
    play.talk.timeout(play.now);
    assert_eq!(play.talk.poll_timeout(), None);
    play.connect();
    let deadline = play.talk.poll_timeout();
    play.talk.connected(play.now);
    play.talk.timeout(play.now);
    assert_eq!(play.talk.poll_timeout(), deadline);
    play.talk.closed(play.now, Ended::Closed);
    play.talk.closed(play.now, Ended::Failed);
    assert_eq!(play.talk.want(), Want::Done);
    play.says(b"SSH-2.0-x\r\n");
    assert_eq!(play.service().name, None);
}

//! What the table of sockets holds, and what it leaves alone.

use std::net::TcpStream;

use mio::{Events, Interest, Poll, Token};

use super::*;

fn id(index: u32) -> ProbeId {
    ProbeId {
        index,
        generation: 1,
    }
}

/// Connections that nobody took would be more than a host or the run may have, beside those that
/// follow.
#[test]
fn connections_that_nobody_took_are_closed_before_the_next_attempt() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let addr = listener.local_addr().expect("a bound address");
    let mut sockets = Sockets::new(4, sys::REUSE).expect("an event queue");
    sockets.keep(4);
    assert_eq!(sockets.connect(id(0), addr), None);
    // Before the reset: some systems hand out no connection after it.
    let (stream, _) = listener.accept().expect("the connection");
    assert_eq!(outcomes(&mut sockets, 1), [(id(0), OPEN)]);
    assert_eq!(sockets.held(), 1);
    sockets.close_kept();
    assert_eq!(sockets.held(), 0);
    assert!(sockets.take_kept(addr).is_none());
    let seen = (&stream as &TcpStream).read(&mut [0; 1]);
    assert!(matches!(seen, Ok(0) | Err(_)), "{seen:?}");
}

/// What comes after the scan has what it had.
#[test]
fn after_the_last_attempt_no_socket_is_held() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let open = listener.local_addr().expect("a bound address");
    let (_held, closed) = refused_port(Domain::IPV4, open.ip());
    for &reuse in ways() {
        let mut sockets = Sockets::new(8, reuse).expect("an event queue");
        let seen = probe(&mut sockets, &[closed, closed, open, closed], 4);
        assert_eq!(seen, [CLOSED, CLOSED, OPEN, CLOSED]);
        sockets.close_free();
        assert_eq!(sockets.held(), 0, "reuse {reuse}");
    }
}

/// They would be remembered for ever.
#[test]
fn the_bell_and_tokens_of_others_are_nobodys_event() {
    let mut sockets = Sockets::new(4, sys::REUSE).expect("an event queue");
    let bell = sockets.waker().expect("a waker").expect("a queue");
    bell.wake().expect("it wakes");
    sockets.wait(PATIENCE).expect("poll");
    sockets.drain(|id, _| panic!("an outcome of {id:?}"));
    assert_eq!(sockets.take_beside(), []);

    let mut poll = Poll::new().expect("an event queue");
    let mut sockets = Sockets::embedded(poll.registry(), Token(7), sys::REUSE).expect("a registry");
    let mut other = mio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a socket");
    for token in [Token(3), Token(usize::MAX), Token(usize::MAX - 1)] {
        let registry = poll.registry();
        let registered = registry.register(&mut other, token, Interest::WRITABLE);
        registered.expect("it is registered");
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(PATIENCE)).expect("poll");
        assert_eq!(events.iter().map(|event| event.token()).next(), Some(token));
        sockets.take(&events, |id, _| panic!("an outcome of {id:?}"));
        assert_eq!(sockets.take_beside(), []);
        poll.registry().deregister(&mut other).expect("it is there");
    }
}

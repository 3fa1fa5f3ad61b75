//! Windows: the calls that no crate wraps. The table of `sys` tells why each is sound.
//!
//! All are requests: a system (or Wine) that does not know one says so, and the scan does without.
#![allow(unsafe_code, reason = "no crate wraps these calls")]

use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::windows::io::AsRawSocket;
use std::ptr;

use mio::net::TcpStream;
use socket2::Socket;
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, ICMP_ERROR_INFO, IPPROTO_ICMPV6, IPPROTO_TCP, SIO_TCP_INITIAL_RTO, SOCKET,
    TCP_FAIL_CONNECT_ON_ICMP_ERROR, TCP_ICMP_ERROR_INFO, TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS,
    TCP_INITIAL_RTO_PARAMETERS, WSAIoctl, getsockopt, setsockopt,
};

use crate::net::outcome::Icmp;

/// How long the system waits for the answer to its only SYN, in milliseconds, best first: no shorter
/// than a scan waits, for then it gives up and a late answer is lost. What it takes is not documented.
const WAITS: [u16; 3] = [60_000, 3_000, u16::MAX];

/// One SYN an attempt, and so a refusal is one at once.
pub(super) fn believe_refusals(socket: &Socket) {
    for wait in WAITS {
        let asked = TCP_INITIAL_RTO_PARAMETERS {
            Rtt: wait,
            // The header has it as the second largest UCHAR, the bindings as a USHORT.
            MaxSynRetransmissions: TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS as u8,
        };
        let mut returned = 0;
        // SAFETY: `asked` lives through the call and is as long as told; there is no output, and
        // nothing overlapped that would outlive the call.
        let failed = unsafe {
            WSAIoctl(
                raw(socket),
                SIO_TCP_INITIAL_RTO,
                ptr::from_ref(&asked).cast(),
                size_of::<TCP_INITIAL_RTO_PARAMETERS>() as u32,
                ptr::null_mut(),
                0,
                &mut returned,
                ptr::null_mut(),
                None,
            )
        };
        if failed == 0 {
            return;
        }
    }
}

/// ICMP errors end an attempt.
pub(super) fn believe_icmp(socket: &Socket) {
    let yes: u32 = 1;
    // SAFETY: `yes` lives through the call and is as long as told.
    unsafe {
        setsockopt(
            raw(socket),
            IPPROTO_TCP,
            TCP_FAIL_CONNECT_ON_ICMP_ERROR,
            ptr::from_ref(&yes).cast(),
            size_of::<u32>() as i32,
        );
    }
}

/// The ICMP message that ended the attempt of `stream`, if one did and the system tells.
pub(super) fn icmp(stream: &TcpStream) -> Option<Icmp> {
    let mut info = ICMP_ERROR_INFO::default();
    let mut length = size_of::<ICMP_ERROR_INFO>() as i32;
    // SAFETY: `info` lives through the call, is as long as told, and of plain numbers only.
    let failed = unsafe {
        getsockopt(
            raw(stream),
            IPPROTO_TCP,
            TCP_ICMP_ERROR_INFO,
            ptr::from_mut(&mut info).cast(),
            &mut length,
        )
    };
    if failed != 0 || length as usize != size_of::<ICMP_ERROR_INFO>() {
        return None;
    }
    // SAFETY: every member of the union begins with the family, and every bit pattern of the member
    // that the family names is valid.
    let (from, scope_id) = unsafe {
        match info.srcaddress.si_family {
            AF_INET => {
                let from = info.srcaddress.Ipv4.sin_addr.S_un.S_addr;
                (Some(IpAddr::from(Ipv4Addr::from(u32::from_be(from)))), 0)
            }
            AF_INET6 => {
                let from = info.srcaddress.Ipv6;
                let ip = IpAddr::from(Ipv6Addr::from(from.sin6_addr.u.Byte));
                (Some(ip.to_canonical()), from.Anonymous.sin6_scope_id)
            }
            _ => (None, 0),
        }
    };
    Some(Icmp {
        v6: info.protocol == IPPROTO_ICMPV6,
        kind: info.r#type,
        code: info.code,
        from,
        scope_id,
    })
}

/// Sockets are numbers of a pointer's size.
fn raw(socket: &impl AsRawSocket) -> SOCKET {
    socket.as_raw_socket() as SOCKET
}

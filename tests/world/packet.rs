//! The packets of a world: what the scanner's kernel sends is read, what the world answers is built.

use std::net::IpAddr;

use etherparse::{
    Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpNumber, Ipv4Header, Ipv4HeaderSlice,
    Ipv6FlowLabel, Ipv6Header, Ipv6HeaderSlice, TcpHeader, TcpHeaderSlice,
};

use crate::model::{ROUTER_V4, ROUTER_V6, SCANNER_V4, SCANNER_V6};

/// A TCP segment of the scanner.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// The number of the address it is for.
    pub host: u32,
    pub sport: u16,
    pub dport: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: Flags,
    /// Bytes of data, and whether the last one ends a line.
    pub data: u32,
    pub is_line: bool,
}

impl Segment {
    /// Whether it completes the handshake and does nothing else.
    pub fn completes_handshake(&self) -> bool {
        self.flags == Flags::Ack && self.data == 0 && self.ack == cookie(self).wrapping_add(1)
    }
}

/// Which kind of segment it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flags {
    Syn,
    Ack,
    Fin,
    Rst,
}

/// What the world sends back for a segment.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    SynAck,
    /// Refuses a SYN.
    Refuse,
    /// Takes what came on an established connection, and says this.
    Says(&'static [u8]),
    /// Ends an established connection.
    Reset,
    /// An ICMP error: type, code, and whether the router sends it.
    Icmp(u8, u8, bool),
}

/// Reads one TCP packet: whom it is for and all but the host's number. `None`: something else.
pub fn read(packet: &[u8]) -> Option<(IpAddr, Segment)> {
    let (to, payload) = match packet.first()? >> 4 {
        4 => {
            let ip = Ipv4HeaderSlice::from_slice(packet).ok()?;
            if ip.protocol() != IpNumber::TCP {
                return None;
            }
            (
                IpAddr::V4(ip.destination_addr()),
                &packet[ip.slice().len()..],
            )
        }
        6 => {
            let ip = Ipv6HeaderSlice::from_slice(packet).ok()?;
            if ip.next_header() != IpNumber::TCP {
                return None;
            }
            (
                IpAddr::V6(ip.destination_addr()),
                &packet[ip.slice().len()..],
            )
        }
        _ => return None,
    };
    let tcp = TcpHeaderSlice::from_slice(payload).ok()?;
    let data = payload.get(tcp.slice().len()..)?;
    let flags = match (tcp.rst(), tcp.syn(), tcp.fin()) {
        (true, _, _) => Flags::Rst,
        (_, true, _) => Flags::Syn,
        (_, _, true) => Flags::Fin,
        _ => Flags::Ack,
    };
    let segment = Segment {
        host: 0,
        sport: tcp.source_port(),
        dport: tcp.destination_port(),
        seq: tcp.sequence_number(),
        ack: tcp.acknowledgment_number(),
        flags,
        data: u32::try_from(data.len()).ok()?,
        is_line: data.ends_with(b"\n"),
    };
    Some((to, segment))
}

/// The first sequence number of the host's side: any fixed function of the flow will do.
fn cookie(segment: &Segment) -> u32 {
    let flow =
        u64::from(segment.host) << 32 | u64::from(segment.sport) << 16 | u64::from(segment.dport);
    (flow.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// Writes the packet of `answer` to `segment`, from `host`, into `out`, replacing what is there.
pub fn build(out: &mut Vec<u8>, host: IpAddr, segment: &Segment, answer: Answer) {
    out.clear();
    let mut tcp = TcpHeader::new(segment.dport, segment.sport, cookie(segment), 64_240);
    let mut said: &[u8] = &[];
    match answer {
        Answer::SynAck => {
            (tcp.syn, tcp.ack) = (true, true);
            tcp.acknowledgment_number = segment.seq.wrapping_add(1);
        }
        Answer::Refuse => {
            (tcp.rst, tcp.ack) = (true, true);
            tcp.acknowledgment_number = segment.seq.wrapping_add(1);
            tcp.sequence_number = 0;
            tcp.window_size = 0;
        }
        Answer::Says(text) => {
            (tcp.ack, tcp.psh) = (true, true);
            tcp.acknowledgment_number = segment.seq.wrapping_add(segment.data);
            tcp.sequence_number = segment.ack;
            said = text;
        }
        Answer::Reset => {
            tcp.rst = true;
            tcp.sequence_number = segment.ack;
            tcp.window_size = 0;
        }
        Answer::Icmp(kind, code, router) => {
            return build_icmp(out, host, segment, (kind, code), router);
        }
    }
    let length = 20 + u16::try_from(said.len()).expect("a short segment");
    match host {
        IpAddr::V4(host) => {
            let ip = ipv4(IpNumber::TCP, length, host.octets(), SCANNER_V4.octets());
            tcp.checksum = tcp.calc_checksum_ipv4(&ip, said).expect("a short segment");
            ip.write(out).expect("a Vec takes it");
        }
        IpAddr::V6(host) => {
            let ip = ipv6(IpNumber::TCP, length, host.octets(), SCANNER_V6.octets());
            tcp.checksum = tcp.calc_checksum_ipv6(&ip, said).expect("a short segment");
            ip.write(out).expect("a Vec takes it");
        }
    }
    tcp.write(out).expect("a Vec takes it");
    out.extend_from_slice(said);
}

/// An ICMP error that quotes the scanner's segment: its IP header and a plain TCP header.
fn build_icmp(
    out: &mut Vec<u8>,
    host: IpAddr,
    segment: &Segment,
    (type_u8, code_u8): (u8, u8),
    router: bool,
) {
    let bytes5to8 = [0; 4];
    let mut tcp = TcpHeader::new(segment.sport, segment.dport, segment.seq, 64_240);
    tcp.syn = true;
    let mut quote = [0_u8; 60];
    let mut rest = &mut quote[..];
    match host {
        IpAddr::V4(host) => {
            ipv4(IpNumber::TCP, 20, SCANNER_V4.octets(), host.octets())
                .write(&mut rest)
                .expect("room for the quote");
            tcp.write(&mut rest).expect("room for the quote");
            let quote = &quote[..40];
            let from = if router { ROUTER_V4 } else { host };
            let icmp = Icmpv4Header::with_checksum(
                Icmpv4Type::Unknown {
                    type_u8,
                    code_u8,
                    bytes5to8,
                },
                quote,
            );
            ipv4(IpNumber::ICMP, 48, from.octets(), SCANNER_V4.octets())
                .write(out)
                .expect("a Vec takes it");
            icmp.write(out).expect("a Vec takes it");
            out.extend_from_slice(quote);
        }
        IpAddr::V6(host) => {
            ipv6(IpNumber::TCP, 20, SCANNER_V6.octets(), host.octets())
                .write(&mut rest)
                .expect("room for the quote");
            tcp.write(&mut rest).expect("room for the quote");
            let from = if router { ROUTER_V6 } else { host }.octets();
            let icmp = Icmpv6Header::with_checksum(
                Icmpv6Type::Unknown {
                    type_u8,
                    code_u8,
                    bytes5to8,
                },
                from,
                SCANNER_V6.octets(),
                &quote,
            )
            .expect("a short quote");
            ipv6(IpNumber::IPV6_ICMP, 68, from, SCANNER_V6.octets())
                .write(out)
                .expect("a Vec takes it");
            icmp.write(out).expect("a Vec takes it");
            out.extend_from_slice(&quote);
        }
    }
}

fn ipv4(protocol: IpNumber, payload: u16, from: [u8; 4], to: [u8; 4]) -> Ipv4Header {
    Ipv4Header::new(payload, 64, protocol, from, to).expect("a short payload")
}

fn ipv6(next_header: IpNumber, payload_length: u16, source: [u8; 16], to: [u8; 16]) -> Ipv6Header {
    Ipv6Header {
        traffic_class: 0,
        flow_label: Ipv6FlowLabel::ZERO,
        payload_length,
        next_header,
        hop_limit: 64,
        source,
        destination: to,
    }
}

//! Why a target cannot be read: one line each, with what would be right.

use std::net::IpAddr;

/// Why a TARGET cannot be read. Pieces of it are escaped and cut for display.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostSpecError {
    /// There is nothing in it.
    #[error("empty target; give an address, a host name, a network or a range")]
    Empty,
    /// Blanks within it.
    #[error("`{target}` has a blank in it; give each target by itself")]
    Blank {
        /// The target.
        target: String,
    },
    /// A URL.
    #[error("`{target}` is a URL; give its host alone")]
    Url {
        /// The target.
        target: String,
    },
    /// A port behind the host.
    #[error("`{target}` has a port in it; give the host alone, and the port with --ports {port}")]
    Port {
        /// The target.
        target: String,
        /// The port.
        port: String,
    },
    /// Something with a colon that is no IPv6 address.
    #[error("`{piece}` is no IPv6 address; one looks like 2001:db8::1 or fe80::1%eth0")]
    BadIpv6 {
        /// The piece.
        piece: String,
    },
    /// A bracket without its other, or something behind it.
    #[error("`{target}`: brackets go round an IPv6 address and nothing else, as in [2001:db8::1]")]
    Brackets {
        /// The target.
        target: String,
    },
    /// Numbers and dots that are no IPv4 address.
    #[error("`{target}` is no IPv4 address; one has four numbers of 0 to 255, as in 192.0.2.1")]
    BadIpv4 {
        /// The target.
        target: String,
    },
    /// Several IPv4 addresses with commas between them.
    #[error("`{target}` has several addresses in it; separate targets with blanks, not commas")]
    Commas {
        /// The target.
        target: String,
    },
    /// A number in an IPv4 address that is above 255.
    #[error("{octet} in `{target}` is above 255, the highest number in an IPv4 address")]
    OctetTooHigh {
        /// The number.
        octet: String,
        /// The target.
        target: String,
    },
    /// A number in an IPv4 address with a leading zero, which some read as octal.
    #[error("{octet} in `{target}` has a leading zero; did you mean {meant}?")]
    LeadingZero {
        /// The number.
        octet: String,
        /// The number without leading zeros.
        meant: String,
        /// The target.
        target: String,
    },
    /// A part of an IPv4 address that is no number and no range.
    #[error("`{octet}` in `{target}` is no range; write one as in 1-254, 1,3,5-7 or *")]
    BadOctet {
        /// The part.
        octet: String,
        /// The target.
        target: String,
    },
    /// A range that ends before it begins.
    #[error("range {first}-{last} runs backwards; did you mean {last}-{first}?")]
    Backwards {
        /// What stands before the dash.
        first: String,
        /// What stands after the dash.
        last: String,
    },
    /// A range from one family to the other.
    #[error("range {first}-{last} begins with {} and ends with {}; both ends must be of one family", family(.first), family(.last))]
    MixedFamilies {
        /// The first address.
        first: IpAddr,
        /// The last address.
        last: IpAddr,
    },
    /// Something other than an address before a slash.
    #[error("`{piece}` before the slash is no address; a network looks like 10.0.0.0/24")]
    BadNetwork {
        /// What stands before the slash.
        piece: String,
    },
    /// Something other than a prefix length behind a slash.
    #[error("`{prefix}` is no prefix length for {}; it is a number of 0 to {longest}, as in {network}/{example}", family(.network))]
    BadPrefix {
        /// What stands behind the slash.
        prefix: String,
        /// The address before the slash.
        network: IpAddr,
        /// Bits of an address.
        longest: u8,
        /// A sensible prefix length.
        example: u8,
    },
    /// More addresses than can be planned.
    #[error(
        "`{target}` holds 2^{bits} addresses or more, and 2^47 are the most of a run; give a prefix of /81 or longer, or ranges"
    )]
    TooMany {
        /// The target.
        target: String,
        /// Its size, as a power of two rounded down.
        bits: u32,
    },
    /// Octet ranges that fall apart into too many ranges of neighbouring addresses.
    #[error(
        "`{target}` falls apart into {ranges} ranges, and 1048576 are the most; give whole ranges in the last numbers, or fewer in the first"
    )]
    TooManyRanges {
        /// The target.
        target: String,
        /// How many ranges it is.
        ranges: u64,
    },
    /// A scope at an address that has none.
    #[error("{addr} is not link-local and has no scope; leave out `%{scope}`")]
    NoScope {
        /// The address.
        addr: IpAddr,
        /// The scope.
        scope: String,
    },
    /// A scope that cannot be an interface.
    #[error("`%{scope}` names no interface; a scope looks like %eth0 or %2")]
    BadScope {
        /// What stands behind the percent sign.
        scope: String,
    },
    /// Two scopes in one range.
    #[error("range from %{first} to %{last}: both ends must be on one interface")]
    TwoScopes {
        /// The first scope.
        first: String,
        /// The last scope.
        last: String,
    },
    /// A name with letters outside ASCII.
    #[error("`{name}` has letters outside ASCII; give its ASCII form, which begins with xn--")]
    NotAscii {
        /// The name.
        name: String,
    },
    /// A character that no host name has.
    #[error("`{letter}` in `{name}` is in no host name; it has letters, digits, dots and hyphens")]
    BadLetter {
        /// The character.
        letter: String,
        /// The name.
        name: String,
    },
    /// A name with nothing between two dots, or before the first.
    #[error("`{name}` is no host name: there is nothing before one of its dots")]
    EmptyLabel {
        /// The name.
        name: String,
    },
    /// A part of a name that is longer than 63 characters.
    #[error("`{label}` is no part of a host name: it has {length} characters, and 63 are the most")]
    LongLabel {
        /// The part between two dots.
        label: String,
        /// Its length in characters.
        length: usize,
    },
    /// A part of a name that begins or ends with a hyphen.
    #[error("`{label}` is no part of a host name: it begins or ends with a hyphen")]
    Hyphen {
        /// The part between two dots.
        label: String,
    },
    /// A name that is longer than 253 characters.
    #[error("`{name}` is no host name: it has {length} characters, and 253 are the most")]
    LongName {
        /// The name.
        name: String,
        /// Its length in characters.
        length: usize,
    },
    /// A name whose last part is a number, which some resolvers read as an address.
    #[error(
        "`{name}` ends in a number: it is neither a host name nor an IPv4 address of four numbers"
    )]
    NumericName {
        /// The name.
        name: String,
    },
}

fn family(addr: &IpAddr) -> &'static str {
    if addr.is_ipv4() { "IPv4" } else { "IPv6" }
}

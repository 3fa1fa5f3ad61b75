//! HTTP/1 (RFC 9112) and what looks like it: RTSP (RFC 7826) and SIP (RFC 3261).

use crate::service::found::{Http, Service, text};

/// Header lines looked at.
const MAX_HEADERS: usize = 100;

/// Bytes of a header line looked at.
const MAX_LINE: usize = 1024;

/// A response, as far as it has come.
struct Response<'a> {
    protocol: &'a [u8],
    status: u16,
    headers: Vec<(&'a [u8], &'a [u8])>,
    /// `None` while the headers have no end.
    body: Option<&'a [u8]>,
}

/// What a response tells.
pub(super) fn read(answer: &[u8]) -> Option<Service> {
    let response = Response::parse(answer)?;
    let server = response.header("server").and_then(text);
    let mut service = Service::default();
    (service.product, service.version, service.info) = parts(server.as_deref().unwrap_or_default());
    service.name = Some(match response.protocol {
        b"RTSP" => "rtsp".into(),
        b"SIP" => "sip".into(),
        _ => "http".into(),
    });
    if response.protocol == b"HTTP" {
        service.http = Some(Box::new(Http {
            status: response.status,
            server,
            title: response.title(),
            redirect: response.header("location").and_then(text),
            login: response.header("www-authenticate").and_then(text),
        }));
    } else if service.product.is_none() {
        let agent = response.header("user-agent").and_then(text);
        (service.product, service.version, service.info) = parts(&agent.unwrap_or_default());
    }
    Some(service)
}

/// What rules look at in a response, apart from the whole.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts<'a> {
    /// The value of the `Server` header, without blanks around it.
    pub(crate) server: Option<&'a [u8]>,
    /// What follows the headers; of a body in chunks, without the first one's length.
    pub(crate) body: Option<&'a [u8]>,
}

pub(super) fn parts_of(answer: &[u8]) -> Option<Parts<'_>> {
    let response = Response::parse(answer)?;
    let chunked = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
    let in_chunks = response.header("transfer-encoding").is_some_and(chunked);
    let mut body = response.body;
    if in_chunks && let Some(left) = &mut body {
        next_line(left);
    }
    Some(Parts {
        server: response.header("server").map(<[u8]>::trim_ascii),
        body,
    })
}

/// Whether a response is there to its end, or at least what is looked for in it; `None` if it is no
/// response.
pub(super) fn is_whole(answer: &[u8]) -> Option<bool> {
    let response = Response::parse(answer)?;
    let Some(body) = response.body.filter(|_| !response.is_interim()) else {
        return Some(false);
    };
    let length = response.header("content-length").and_then(|length| {
        let length = std::str::from_utf8(length).ok()?;
        length.trim().parse::<usize>().ok()
    });
    let bodyless = matches!(response.status, 101 | 204 | 304);
    let whole = match length {
        Some(length) => body.len() >= length,
        None => body.ends_with(b"0\r\n\r\n"),
    };
    Some(bodyless || whole || response.protocol != b"HTTP" || response.title().is_some())
}

impl<'a> Response<'a> {
    /// The final response, of which any number of interim ones may come before it; as long as it has not
    /// come, the last of these.
    fn parse(answer: &'a [u8]) -> Option<Response<'a>> {
        let mut response = Response::first(answer)?;
        while response.is_interim()
            && let Some(next) = response.body.and_then(Response::first)
        {
            response = next;
        }
        Some(response)
    }

    /// Whether another one follows: RFC 9110 section 15.2. After 101 another protocol does.
    fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }

    fn first(answer: &'a [u8]) -> Option<Response<'a>> {
        let slash = answer.iter().take(5).position(|&byte| byte == b'/')?;
        let (protocol, rest) = (&answer[..slash], &answer[slash + 1..]);
        if ![&b"HTTP"[..], b"RTSP", b"SIP"].contains(&protocol) {
            return None;
        }
        let [b'1' | b'2', b'.', b'0'..=b'9', b' ', status @ ..] = rest else {
            return None;
        };
        let digits = status.get(..3)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let mut response = Response {
            protocol,
            status,
            headers: Vec::new(),
            body: None,
        };
        let mut left = answer;
        // The first line is the status.
        next_line(&mut left)?;
        while let Some(line) = next_line(&mut left) {
            if line.is_empty() {
                response.body = Some(left);
                break;
            }
            let line = &line[..line.len().min(MAX_LINE)];
            if let Some(colon) = line.iter().position(|&byte| byte == b':')
                && response.headers.len() < MAX_HEADERS
            {
                response.headers.push((&line[..colon], &line[colon + 1..]));
            }
        }
        Some(response)
    }

    fn header(&self, wanted: &str) -> Option<&'a [u8]> {
        let is_it = |name: &[u8]| name.eq_ignore_ascii_case(wanted.as_bytes());
        let found = self.headers.iter().find(|(name, _)| is_it(name));
        found.map(|(_, value)| *value)
    }

    /// The title of an HTML page. One that is compressed is not opened.
    fn title(&self) -> Option<String> {
        if self.header("content-encoding").is_some() {
            return None;
        }
        let mut rest = self.body?;
        loop {
            const TITLE: &[u8] = b"<title";
            rest = &rest[find(rest, TITLE)? + TITLE.len()..];
            // Not `<title-bar>`.
            if rest.first()?.is_ascii_whitespace() || rest[0] == b'>' {
                break;
            }
        }
        let open = rest.iter().position(|&byte| byte == b'>')?;
        let rest = &rest[open + 1..];
        let close = find(rest, b"</title")?;
        let title = text(&rest[..close])?;
        text(unescaped(&title).as_bytes())
    }
}

/// The next line without its end, which is taken off `left`; `None` if it has not come.
fn next_line<'a>(left: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = left.iter().position(|&byte| byte == b'\n')?;
    let (line, rest) = (&left[..end], &left[end + 1..]);
    *left = rest;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// Where `wanted`, in lower case, begins in `text`, in any case.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut windows = text.windows(wanted.len());
    windows.position(|at| at.eq_ignore_ascii_case(wanted))
}

/// The entities that titles have.
fn unescaped(title: &str) -> String {
    let mut title = title.to_owned();
    for (entity, letter) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&nbsp;", " "),
        ("&ndash;", "–"),
        ("&mdash;", "—"),
        ("&middot;", "·"),
        ("&copy;", "©"),
        ("&amp;", "&"),
    ] {
        if title.contains(entity) {
            title = title.replace(entity, letter);
        }
    }
    title
}

/// Product, version and comment of `nginx/1.22.1 (Debian) …`: RFC 9110 section 10.2.4.
fn parts(server: &str) -> (Option<String>, Option<String>, Option<String>) {
    let some = |part: &str| text(part.as_bytes());
    let (head, rest) = server.split_once('(').unwrap_or((server, ""));
    let (product, version) = head.split_once('/').unwrap_or((head, ""));
    let version = version.split([' ', ',', ';']).next().unwrap_or_default();
    // To the bracket that closes the first one.
    let mut depth = 1;
    let end = rest.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    (
        some(product),
        some(version),
        some(&rest[..end.unwrap_or(rest.len())]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_with_title_server_and_comment() {
        let answer = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1 (Ubuntu)\r\n\
            Content-Type: text/html\r\n\r\n<html><title-bar>no</title-bar><TITLE\nid=1> Tom &amp;\r\n Jerry </title>";
        let service = read(answer).expect("HTTP");
        assert_eq!(service.description(), "nginx 1.22.1 (Ubuntu)");
        let http = service.http.expect("HTTP");
        assert_eq!(
            (http.status, http.title.as_deref()),
            (200, Some("Tom & Jerry"))
        );
        assert_eq!(is_whole(answer), Some(true));
    }

    #[test]
    fn the_final_response_counts_and_not_those_before() {
        let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nServer: hints\r\n\r\n";
        let last = b"HTTP/1.1 404 No\r\nServer: nginx\r\nContent-Length: 1\r\n\r\na";
        let whole = [&interim[..], last].concat();
        let service = read(&whole).expect("HTTP");
        assert_eq!(service.description(), "nginx");
        assert_eq!(service.http.expect("HTTP").status, 404);
        assert_eq!(
            parts_of(&whole).and_then(|parts| parts.body),
            Some(&b"a"[..])
        );
        for end in 1..whole.len() {
            let so_far = is_whole(&whole[..end]);
            assert!(matches!(so_far, None | Some(false)), "{end}: {so_far:?}");
        }
        assert_eq!(is_whole(&whole), Some(true));
        // Nothing in HTTP follows.
        let switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n";
        assert_eq!(is_whole(switched), Some(true));
        let status = |answer| read(answer).and_then(|read| Some(read.http?.status));
        assert_eq!(status(&switched[..]), Some(101));
        assert_eq!(status(&interim[..]), Some(103), "all that came");
    }

    #[test]
    fn redirect_and_login() {
        let service = read(
            b"HTTP/1.0 401 Unauthorized\r\nlocation: /login\r\nWWW-AUTHENTICATE: Basic realm=\"x\"\r\n\r\n",
        );
        let service = service.expect("HTTP");
        assert_eq!(service.product, None);
        let http = service.http.expect("HTTP");
        assert_eq!(http.redirect.as_deref(), Some("/login"));
        assert_eq!(http.login.as_deref(), Some("Basic realm=\"x\""));
    }

    #[test]
    fn an_empty_title_or_server_is_none() {
        let service = read(b"HTTP/1.1 200 OK\r\nServer: \r\n\r\n<title> \n</title>").expect("HTTP");
        assert_eq!(service.product, None);
        let http = service.http.expect("HTTP");
        assert_eq!((http.server, http.title), (None, None));
    }

    #[test]
    fn where_a_response_ends() {
        for (answer, whole) in [
            (&b"SSH-2.0-x\r\n"[..], None),
            (b"HTTP/1.1 200 OK\r\nA: b\r\n", Some(false)),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd",
                Some(false),
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
                Some(true),
            ),
            (
                b"HTTP/1.1 200 OK\nContent-Length: 99999999999999999999\n\nab",
                Some(false),
            ),
            (b"HTTP/1.1 204 No\r\n\r\n", Some(true)),
            (b"HTTP/1.1 200 OK\r\n\r\n1\r\na\r\n0\r\n\r\n", Some(true)),
            (b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", Some(true)),
        ] {
            assert_eq!(is_whole(answer), whole, "{}", answer.escape_ascii());
        }
    }

    #[test]
    fn a_flood_of_headers_and_a_compressed_page() {
        let mut flood = b"HTTP/1.1 200 OK\r\n".to_vec();
        flood.extend(b"A: b\r\n".repeat(2500));
        let response = Response::parse(&flood).expect("a response");
        assert_eq!(response.headers.len(), MAX_HEADERS);
        let packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n<title>a</title>";
        assert_eq!(read(packed).and_then(|read| read.http?.title), None);
    }

    #[test]
    fn sip_and_rtsp() {
        let sip = read(b"SIP/2.0 200 OK\r\nUser-Agent: Asterisk PBX 20.1\r\n\r\n").expect("SIP");
        assert_eq!(sip.name.as_deref(), Some("sip"));
        assert_eq!(sip.product.as_deref(), Some("Asterisk PBX 20.1"));
        assert_eq!(sip.http, None);
        let rtsp = read(b"RTSP/1.0 200 OK\r\nServer: GStreamer/1.2\r\n\r\n").expect("RTSP");
        assert_eq!(rtsp.description(), "GStreamer 1.2");
    }
}

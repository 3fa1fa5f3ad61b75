//! Answers as servers give them, in text protocols: what each is known by.

use super::shared;

/// Probe, answer, name, description, host name, offer of TLS.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<bool>,
);

const MAIL: [Case; 15] = [
    (
        "greeting",
        "220 mail.example ESMTP Postfix (Debian/GNU)\r\n",
        "smtp",
        "Postfix smtpd Debian",
        Some("mail.example"),
        None,
    ),
    (
        "greeting",
        "220 mail.example ESMTP Exim 4.96 Tue, 01 Aug 2023 10:00:00 +0000\r\n",
        "smtp",
        "Exim smtpd 4.96",
        Some("mail.example"),
        None,
    ),
    (
        "greeting",
        "220 mail.example ESMTP Sendmail 8.17.1.9/8.17.1.9/Debian-2; Tue\r\n",
        "smtp",
        "Sendmail 8.17.1.9",
        Some("mail.example"),
        None,
    ),
    (
        "greeting",
        "220 mail.example ESMTP\r\n",
        "smtp",
        "",
        Some("mail.example"),
        None,
    ),
    (
        "smtp",
        "250-mail.example Hello\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250 CHUNKING\r\n",
        "smtp",
        "",
        Some("mail.example"),
        Some(true),
    ),
    (
        "smtp",
        "250-mail.example\r\n250 8BITMIME\r\n",
        "smtp",
        "",
        Some("mail.example"),
        Some(false),
    ),
    (
        "greeting",
        "+OK Dovecot (Debian) ready.\r\n",
        "pop3",
        "Dovecot pop3d Debian",
        None,
        None,
    ),
    (
        "greeting",
        "+OK POP3 server ready <1896.6971@mail.example>\r\n",
        "pop3",
        "",
        None,
        None,
    ),
    (
        "pop3",
        "+OK\r\nCAPA\r\nTOP\r\nSTLS\r\n.\r\n",
        "pop3",
        "",
        None,
        Some(true),
    ),
    ("pop3", "-ERR unknown command\r\n", "", "", None, None),
    (
        "greeting",
        "* OK [CAPABILITY IMAP4rev1 SASL-IR STARTTLS LOGINDISABLED] Dovecot (Debian) ready.\r\n",
        "imap",
        "Dovecot imapd Debian",
        None,
        None,
    ),
    (
        "greeting",
        "* OK [CAPABILITY IMAP4rev1] mail.example Cyrus IMAP 3.6.1-4+deb12u2 server ready\r\n",
        "imap",
        "Cyrus imapd 3.6.1-4",
        Some("mail.example"),
        None,
    ),
    (
        "imap",
        "* CAPABILITY IMAP4rev1 STARTTLS\r\nn1 OK done\r\n",
        "imap",
        "",
        None,
        Some(true),
    ),
    (
        "imap",
        "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nn1 OK done\r\n",
        "imap",
        "",
        None,
        Some(false),
    ),
    (
        "greeting",
        "200 news.example InterNetNews NNRP server INN 2.7.1 ready (posting ok)\r\n",
        "nntp",
        "InterNetNews 2.7.1",
        Some("news.example"),
        None,
    ),
];

const FILES: [Case; 10] = [
    (
        "greeting",
        "220 (vsFTPd 3.0.3)\r\n",
        "ftp",
        "vsftpd 3.0.3",
        None,
        None,
    ),
    (
        "greeting",
        "220 ProFTPD Server (Debian) [::ffff:192.0.2.7]\r\n",
        "ftp",
        "ProFTPD (Debian)",
        None,
        None,
    ),
    (
        "greeting",
        "220 ProFTPD 1.3.8 Server (ftp) [192.0.2.7]\r\n",
        "ftp",
        "ProFTPD 1.3.8 (ftp)",
        None,
        None,
    ),
    (
        "greeting",
        "220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n220-x\r\n220 y\r\n",
        "ftp",
        "Pure-FTPd",
        None,
        None,
    ),
    (
        "greeting",
        "220-FileZilla Server 1.7.3\r\n220 Please visit\r\n",
        "ftp",
        "FileZilla ftpd 1.7.3",
        None,
        None,
    ),
    (
        "greeting",
        "220 Microsoft FTP Service\r\n",
        "ftp",
        "Microsoft ftpd Windows",
        None,
        None,
    ),
    (
        "ftp",
        "211-Features:\r\n AUTH TLS\r\n EPRT\r\n211 End\r\n",
        "ftp",
        "",
        None,
        Some(true),
    ),
    (
        "ftp",
        "211-Features:\r\n EPRT\r\n UTF8\r\n211 End\r\n",
        "ftp",
        "",
        None,
        Some(false),
    ),
    (
        "greeting",
        "@RSYNCD: 31.0 sha512 sha256 sha1 md5 md4\n",
        "rsync",
        "rsync (protocol 31.0)",
        None,
        None,
    ),
    (
        "git",
        "0032ERR access denied or repository not exported: /",
        "git",
        "git daemon",
        None,
        None,
    ),
];

const OTHERS: [Case; 18] = [
    (
        "http",
        "HTTP/1.1 200 OK\r\nServer: Apache/2.4.57 (Debian)\r\n\r\n",
        "http",
        "Apache httpd 2.4.57 Debian",
        None,
        None,
    ),
    (
        "http",
        "HTTP/1.1 200 OK\r\nDate: x\r\nserver: nginx/1.22.1\r\n\r\n",
        "http",
        "nginx 1.22.1",
        None,
        None,
    ),
    (
        "http",
        "HTTP/1.1 400 Bad Request\r\nServer: squid/5.7\r\n\r\n",
        "http-proxy",
        "Squid http proxy 5.7",
        None,
        None,
    ),
    (
        "http",
        "HTTP/1.1 404 Not Found\r\nServer: Microsoft-HTTPAPI/2.0\r\n\r\n",
        "http",
        "Microsoft HTTPAPI httpd 2.0 Windows",
        None,
        None,
    ),
    (
        "redis",
        "$80\r\n# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nos:Linux 6.1.0 x86_64\r\n",
        "redis",
        "Redis key-value store 7.0.15 Linux",
        None,
        None,
    ),
    (
        "redis",
        "-NOAUTH Authentication required.\r\n",
        "redis",
        "Redis key-value store (asks for a password)",
        None,
        None,
    ),
    (
        "http",
        "-ERR wrong number of arguments for 'get' command\r\n",
        "redis",
        "",
        None,
        None,
    ),
    (
        "memcached",
        "VERSION 1.6.18\r\n",
        "memcached",
        "Memcached 1.6.18",
        None,
        None,
    ),
    (
        "zookeeper",
        "Zookeeper version: 3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f, built on 2022\nMode: standalone\n",
        "zookeeper",
        "Zookeeper 3.8.0 (standalone)",
        None,
        None,
    ),
    (
        "zookeeper",
        "srvr is not executed because it is not in the whitelist.\n",
        "zookeeper",
        "Zookeeper",
        None,
        None,
    ),
    (
        "greeting",
        "RFB 003.008\n",
        "vnc",
        "VNC (protocol 3.8)",
        None,
        None,
    ),
    (
        "irc",
        ":irc.example 001 nishad :Welcome\r\n:irc.example 002 nishad :Your host is irc.example, running version ngircd-26.1 (x86_64/pc/linux-gnu)\r\n",
        "irc",
        "ngircd 26.1",
        Some("irc.example"),
        None,
    ),
    (
        "greeting",
        ":irc.example NOTICE * :*** Looking up your hostname...\r\n",
        "irc",
        "",
        Some("irc.example"),
        None,
    ),
    (
        "http",
        ":irc.example 451 * GET :Connection not registered\r\n",
        "irc",
        "",
        Some("irc.example"),
        None,
    ),
    (
        "sip",
        "SIP/2.0 200 OK\r\nServer: kamailio (5.6.3 (x86_64/linux))\r\n\r\n",
        "sip",
        "kamailio (5.6.3 (x86_64/linux))",
        None,
        None,
    ),
    (
        "rtsp",
        "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: GStreamer RTSP server\r\n\r\n",
        "rtsp",
        "GStreamer RTSP server",
        None,
        None,
    ),
    (
        "greeting",
        "SSH-2.0-libssh_0.10.5\r\n",
        "ssh",
        "libssh 0.10.5 (protocol 2.0)",
        None,
        None,
    ),
    (
        "greeting",
        "INFO {\"server_id\":\"N\",\"server_name\":\"N\",\"version\":\"2.10.1\"}\r\n",
        "nats",
        "NATS 2.10.1",
        None,
        None,
    ),
];

#[test]
fn answers_of_servers() {
    let rules = shared();
    for (probe, answer, name, description, hostname, starttls) in
        MAIL.iter().chain(&FILES).chain(&OTHERS)
    {
        let found = rules.identify(probe, answer.as_bytes()).unwrap_or_default();
        let service = found.service;
        assert_eq!(
            (
                service.name.as_deref().unwrap_or_default(),
                service.description().as_str(),
                service.hostname.as_deref(),
                service.starttls,
            ),
            (*name, *description, *hostname, *starttls),
            "{answer:?}"
        );
    }
}

/// What a product answers is not what a page says that it answers.
#[test]
fn a_page_that_tells_of_a_product_is_a_page() {
    let rules = shared();
    for quoted in [
        r#"{"message":"page not found"}"#,
        r#"{ "kind": "Status", "apiVersion": "v1" }"#,
        r#"{ "paths": [ "/.well-known/openid-configuration" ] }"#,
        r#"{ "cluster_name" : "x", "number" : "7.1", "lucene_version" }"#,
        r#"{ "cluster_name" : "x", "distribution" : "opensearch", "number" : "2.1" }"#,
        r#"{"error":{"type":"security_exception"}}"#,
        "It looks like you are trying to access MongoDB over HTTP on the native driver port.",
    ] {
        for status in ["200 OK", "401 Unauthorized", "404 Not Found"] {
            let page = format!(
                "HTTP/1.1 {status}\r\nServer: Caddy\r\n\r\n<title>Help</title>\r\n\r\n{quoted}"
            );
            let found = rules.identify("http", page.as_bytes()).unwrap_or_default();
            assert_eq!(found.service.name.as_deref(), Some("http"), "{page}");
            assert_eq!(found.service.product.as_deref(), Some("Caddy"), "{page}");
        }
    }
}

#[test]
fn an_ftp_server_may_welcome_before_it_says_its_name() {
    let rules = shared();
    for (last, product) in [
        ("220 ProFTPD Server (Debian) ready", "ProFTPD"),
        ("220 (vsFTPd 3.0.3)", "vsftpd"),
        ("220-FileZilla Server 1.8.0", "FileZilla ftpd"),
    ] {
        let greeting = format!("220-Welcome\r\nto all\r\n{last}\r\n");
        let found = rules.identify("greeting", greeting.as_bytes());
        let service = found.unwrap_or_default().service;
        assert_eq!(service.name.as_deref(), Some("ftp"), "{greeting}");
        assert_eq!(service.product.as_deref(), Some(product), "{greeting}");
    }
}

#[test]
fn a_mail_server_may_say_ftp() {
    let rules = shared();
    for (greeting, product) in [
        ("220 ftp.example ESMTP Postfix\r\n", Some("Postfix smtpd")),
        ("220 mail.example ESMTP ready, files by FTP\r\n", None),
    ] {
        let found = rules.identify("greeting", greeting.as_bytes());
        let service = found.unwrap_or_default().service;
        assert_eq!(service.name.as_deref(), Some("smtp"), "{greeting}");
        assert_eq!(service.product.as_deref(), product);
    }
}

/// Many a server says so to what it does not know.
#[test]
fn an_error_in_a_line_leads_to_memcached_and_is_none_yet() {
    let found = shared().identify("http", b"ERROR\r\nERROR\r\n");
    let found = found.unwrap_or_default();
    assert_eq!(found.service.name, None);
    assert_eq!(found.then.as_deref(), Some("memcached"));
}

#[test]
fn plain_http_on_a_tls_port_leads_to_tls() {
    let rules = shared();
    for answer in [
        "HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\n\r\n<html><head><title>400 The plain \
         HTTP request was sent to HTTPS port</title></head>",
        "HTTP/1.1 400 Bad Request\r\n\r\nYou're speaking plain HTTP to an SSL-enabled server port.",
        "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
    ] {
        let found = rules.identify("http", answer.as_bytes()).expect("a hint");
        assert_eq!(found.then.as_deref(), Some("tls"), "{answer}");
        assert_eq!(found.service.name, None);
    }
}

//! Debian's servers on loopback, and what is known to be behind their ports.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Starts one of them.
const START: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/start.sh");

/// How long they may take until the last one accepts.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server.
pub struct Server {
    /// What `start.sh` calls it.
    pub name: &'static str,
    /// Debian's package.
    pub package: &'static str,
    /// What it calls itself.
    pub product: &'static str,
    /// Ports, what is spoken there, and whether the version is told to whom asks.
    pub ports: &'static [(u16, &'static str, bool)],
}

/// All of them, each on its usual port and, where it can be, on an unusual one.
pub const SERVERS: &[Server] = &[
    Server {
        name: "openssh",
        package: "openssh-server",
        product: "OpenSSH",
        ports: &[(22, "ssh", true), (10022, "ssh", true)],
    },
    Server {
        name: "nginx",
        package: "nginx-light",
        product: "nginx",
        ports: &[
            (80, "http", true),
            (10080, "http", true),
            // TLS 1.2 here, 1.3 there.
            (443, "https", true),
            (10443, "https", true),
        ],
    },
    Server {
        name: "vsftpd",
        package: "vsftpd",
        product: "vsftpd",
        ports: &[(21, "ftp", true), (10021, "ftp", true)],
    },
    Server {
        name: "exim",
        package: "exim4-daemon-light",
        product: "Exim",
        ports: &[(25, "smtp", true), (10025, "smtp", true)],
    },
    Server {
        name: "dovecot",
        package: "dovecot-core",
        product: "Dovecot",
        ports: &[
            (110, "pop3", false),
            (143, "imap", false),
            (993, "imaps", false),
            (995, "pop3s", false),
            (10143, "imap", false),
        ],
    },
    Server {
        name: "mariadb",
        package: "mariadb-server",
        product: "MariaDB",
        ports: &[(3306, "mysql", true), (13306, "mysql", true)],
    },
    Server {
        name: "postgresql",
        package: "postgresql",
        product: "PostgreSQL",
        ports: &[(5432, "postgresql", false)],
    },
    Server {
        name: "redis",
        package: "redis-server",
        product: "Redis",
        // The second one wants a password.
        ports: &[(6379, "redis", true), (16379, "redis", false)],
    },
    Server {
        name: "memcached",
        package: "memcached",
        product: "Memcached",
        ports: &[(11211, "memcached", true), (21211, "memcached", true)],
    },
    Server {
        name: "mosquitto",
        package: "mosquitto",
        product: "mosquitto",
        ports: &[(1883, "mqtt", true), (11883, "mqtt", true)],
    },
    Server {
        name: "rabbitmq",
        package: "rabbitmq-server",
        product: "RabbitMQ",
        ports: &[(5672, "amqp", true), (15673, "amqp", true)],
    },
    Server {
        name: "slapd",
        package: "slapd",
        product: "OpenLDAP",
        ports: &[(389, "ldap", false), (10389, "ldap", false)],
    },
    Server {
        name: "samba",
        package: "samba",
        product: "Samba",
        ports: &[(445, "smb", false), (10445, "smb", false)],
    },
    Server {
        name: "unbound",
        package: "unbound",
        product: "Unbound",
        ports: &[(53, "domain", true), (10053, "domain", true)],
    },
    Server {
        name: "rsync",
        package: "rsync",
        product: "",
        ports: &[(873, "rsync", false), (10873, "rsync", false)],
    },
    Server {
        name: "squid",
        package: "squid-openssl",
        product: "Squid",
        ports: &[(3128, "http-proxy", true), (13128, "http-proxy", true)],
    },
];

/// The servers, as long as this lives.
pub struct Park {
    all: Child,
    dir: PathBuf,
}

impl Park {
    /// Starts all servers side by side and waits until each port accepts. Needs root and a network
    /// namespace in which loopback is up.
    pub fn start() -> Park {
        let dir = std::env::temp_dir().join(format!("nishad-servers-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a temporary folder");
        let names = SERVERS.iter().map(|server| server.name);
        let names = names.collect::<Vec<_>>().join(" ");
        // Servers change their user and must get through; nobody else need.
        let script = format!(
            "chmod 711 . && for name in {names}; do mkdir -m 755 $name; \
             (cd $name && exec sh {START} $name) >$name/out 2>&1 </dev/null & done; wait"
        );
        // They are processes of their own namespace, all of which end with its first.
        let all = Command::new("unshare")
            .args([
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "sh",
                "-c",
                &script,
            ])
            .current_dir(&dir)
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare runs");
        let park = Park { all, dir };
        park.wait();
        park
    }

    fn wait(&self) {
        let deadline = Instant::now() + PATIENCE;
        for server in SERVERS {
            for (port, ..) in server.ports {
                let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
                while TcpStream::connect(addr).is_err() {
                    assert!(
                        Instant::now() < deadline,
                        "{} does not accept on port {port}: {}",
                        server.name,
                        self.said(server.name)
                    );
                    thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }

    /// What a server wrote.
    fn said(&self, name: &str) -> String {
        let path: &Path = &self.dir.join(name).join("out");
        std::fs::read_to_string(path).unwrap_or_else(|error| error.to_string())
    }
}

impl Drop for Park {
    fn drop(&mut self) {
        let _ = self.all.kill();
        let _ = self.all.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Server {
    /// The version that Debian packaged, without what Debian added; `None`: the package is not
    /// installed.
    pub fn version(&self) -> Option<String> {
        let query = Command::new("dpkg-query")
            .args(["-W", "-f", "${Version}", self.package])
            .output()
            .ok()
            .filter(|query| query.status.success())?;
        let version = String::from_utf8(query.stdout).ok()?;
        let version = version.split_once(':').map_or(&*version, |(_, rest)| rest);
        let upstream = version.split(['-', '+', '~']).next()?;
        Some(upstream.to_string()).filter(|version| !version.is_empty())
    }
}

/// All ports, as they are typed.
pub fn ports() -> String {
    let ports = SERVERS.iter().flat_map(|server| server.ports);
    let ports = ports.map(|(port, ..)| port.to_string());
    ports.collect::<Vec<_>>().join(",")
}

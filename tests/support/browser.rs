//! A headless Chromium, driven through chromedriver (W3C WebDriver) by plain HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a page may take for what is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser with one window, and its driver.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    /// What the browser keeps; gone with it.
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A browser that may use this network namespace alone; `None` if there is none on this machine.
    pub fn start() -> Option<Browser> {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = driver.ok()?;
        let said = driver.stdout.take().expect("piped");
        let mut lines = BufReader::new(said).lines();
        let port = lines.find_map(|line| {
            let line = line.ok()?;
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        // What else it says is read, so that it need not wait.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().expect("a temporary directory");
        let mut browser = Browser {
            driver,
            port: port.expect("chromedriver tells its port"),
            session: String::new(),
            _profile: profile,
        };
        browser.begin();
        Some(browser)
    }

    fn begin(&mut self) {
        let profile = format!("--user-data-dir={}", self._profile.path().display());
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--window-size=1280,900", profile,
            ]},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let begun = self.call("POST", "/session", &wanted);
        self.session = begun["sessionId"].as_str().expect("a session").into();
        // The page that it begins with has logs of its own.
        self.session("url", &json!({"url": "about:blank"}));
        self.console();
        self.requests();
    }

    /// Opens the page at `path`.
    pub fn open(&self, path: &Path) {
        let url = format!("file://{}", path.display());
        self.session("url", &json!({"url": url}));
    }

    /// What `script`, the body of a function, returns.
    pub fn run(&self, script: &str) -> Value {
        self.session("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until the expression `script` is `wanted`.
    #[track_caller]
    pub fn becomes(&self, script: &str, wanted: impl Into<Value>) {
        let (end, wanted) = (Instant::now() + PATIENCE, wanted.into());
        loop {
            let value = self.run(&format!("return {script};"));
            if value == wanted {
                return;
            }
            assert!(Instant::now() < end, "{script} is {value}, not {wanted}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses and releases each of `keys`, after one another.
    pub fn press(&self, keys: &str) {
        let keys = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|event| json!({"type": event, "value": key})));
        let keys = keys.collect::<Vec<_>>();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": keys});
        self.session("actions", &json!({"actions": [keyboard]}));
    }

    /// A command of the DevTools protocol.
    pub fn devtools(&self, command: &str, params: Value) -> Value {
        let command = json!({"cmd": command, "params": params});
        self.session("goog/cdp/execute", &command)
    }

    /// What the page said on its console since it was asked, errors of the browser about it included.
    pub fn console(&self) -> Vec<String> {
        let said = self.session("se/log", &json!({"type": "browser"}));
        let said = said.as_array().expect("a list").iter();
        said.map(|line| line["message"].to_string()).collect()
    }

    /// What was asked for by the page since it was asked, itself included.
    pub fn requests(&self) -> Vec<String> {
        let events = self.session("se/log", &json!({"type": "performance"}));
        let events = events.as_array().expect("a list").iter();
        events
            .filter_map(|event| {
                let event: Value = serde_json::from_str(event["message"].as_str()?).ok()?;
                let message = &event["message"];
                let sent = message["method"] == "Network.requestWillBeSent";
                let url = message["params"]["request"]["url"].as_str()?;
                sent.then(|| url.to_string())
            })
            .collect()
    }

    fn session(&self, what: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}/{what}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let value = self.ask(method, path, &body.to_string());
        let value = value.expect("the driver answers");
        assert!(value["error"].is_null(), "{path} {body}: {value}");
        value
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> std::io::Result<Value> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            if line.is_empty() {
                break;
            }
        }
        let mut text = vec![0; length];
        answer.read_exact(&mut text)?;
        let mut answer: Value = serde_json::from_slice(&text)?;
        Ok(answer["value"].take())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session, not with its driver.
        let _ = self.ask("DELETE", &format!("/session/{}", self.session), "{}");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

//! Starts `dexd`, reads what it logs, stops it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The smallest configuration that starts, on ports of its own.
pub(crate) const MINIMAL: &str = "issuer: http://127.0.0.1:5556/dex\nstorage: {type: memory}\nweb: {http: 127.0.0.1:0}\nenablePasswordDB: true\n";

/// [`MINIMAL`] and more lines.
pub(crate) fn minimal_with(extra: &str) -> String {
    format!("{MINIMAL}{extra}\n")
}

/// [`MINIMAL`] with one of its lines replaced: the one of `key`.
pub(crate) fn minimal_but(key: &str, line: &str) -> String {
    let kept: Vec<_> = MINIMAL
        .lines()
        .filter(|kept| !kept.starts_with(key))
        .collect();
    format!("{}\n{line}\n", kept.join("\n"))
}

/// A run that is being prepared.
pub(crate) struct Run {
    pub(crate) dir: TempDir,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
}

impl Run {
    /// With nothing but a directory of its own.
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
            arguments: Vec::new(),
        }
    }

    /// `serve c.yaml` with this text.
    pub(crate) fn serve(config: &str) -> Self {
        Self::new()
            .file("c.yaml", config)
            .arg("serve")
            .arg("c.yaml")
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dexd"));
        self.prepare(&mut command);
        command.args(&self.arguments);
        command
    }

    /// Through a shell, which sets limits first; `$DEXD "$@"` is the program.
    pub(crate) fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        self.prepare(&mut command);
        command
            .env("DEXD", env!("CARGO_BIN_EXE_dexd"))
            .args(["-c", script, "sh"])
            .args(&self.arguments);
        command
    }

    fn prepare(&self, command: &mut Command) {
        command
            .current_dir(self.dir.path())
            .env_clear()
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null());
    }

    /// Runs to the end.
    pub(crate) fn output(&self) -> Output {
        Output::of(self.command())
    }

    /// Runs to the end, which must be a failure; what it said on standard error.
    pub(crate) fn fails(&self) -> String {
        let output = self.output();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(output.stdout, "", "{output:?}");
        output.stderr
    }

    /// Starts the server and waits until all its listeners are bound.
    pub(crate) fn start(self) -> Dexd {
        let command = self.command();
        self.start_command(command)
    }

    pub(crate) fn start_command(self, command: Command) -> Dexd {
        Dexd::start(self.dir, command)
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        let killer = Killer::after(PATIENCE, &child);
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        let status = child.wait().unwrap();
        drop(killer);
        Self {
            status,
            stdout: reader.join().unwrap(),
            stderr: text,
        }
    }
}

/// Ends a child that should have ended by itself, so that no test hangs.
struct Killer {
    _cancel: std::sync::mpsc::Sender<()>,
}

impl Killer {
    fn after(patience: Duration, child: &Child) -> Self {
        let (cancel, cancelled) = channel();
        let pid = child.id().to_string();
        std::thread::spawn(move || {
            if cancelled.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                send("KILL", &pid);
            }
        });
        Self { _cancel: cancel }
    }
}

fn send(signal: &str, pid: &str) {
    let sent = Command::new("/bin/kill")
        .args([&format!("-{signal}"), pid])
        .status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {pid}");
}

/// A running server.
pub(crate) struct Dexd {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    pub(crate) dir: TempDir,
}

impl Dexd {
    fn start(dir: TempDir, mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut dexd = Self {
            child,
            lines,
            seen: Vec::new(),
            dir,
        };
        // The first record of the background work comes after the last bind.
        dexd.expect_line("listening on");
        dexd
    }

    /// A line with this text, among those seen or to come.
    pub(crate) fn expect_line(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut looked_at = 0;
        loop {
            if let Some(line) = self.seen[looked_at..]
                .iter()
                .find(|line| line.contains(text))
            {
                return line.clone();
            }
            looked_at = self.seen.len();
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.seen.push(line),
                Err(error) => {
                    panic!(
                        "no line with {text:?} ({error}) in:\n{}",
                        self.seen.join("\n")
                    )
                }
            }
        }
    }

    /// The address a listener is bound to.
    pub(crate) fn address(&mut self, listener: &str) -> String {
        let line = self.expect_line(&format!("server={listener} address="));
        line.rsplit_once("address=").unwrap().1.to_owned()
    }

    /// `http://address/path` of a plain listener.
    pub(crate) fn url(&mut self, listener: &str, path: &str) -> String {
        format!("http://{}{path}", self.address(listener))
    }

    pub(crate) fn signal(&self, name: &str) {
        send(name, &self.child.id().to_string());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let killer = Killer::after(PATIENCE, &self.child);
        let status = self.child.wait().unwrap();
        drop(killer);
        status
    }

    /// Stops it; everything it logged.
    pub(crate) fn stop(mut self) -> String {
        self.signal("TERM");
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.seen.join("\n"));
        let mut lines = std::mem::take(&mut self.seen);
        lines.extend(self.lines.iter());
        lines.join("\n")
    }
}

impl Drop for Dexd {
    fn drop(&mut self) {
        // Both fail when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that follows no redirect and trusts the given authorities besides none.
pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// Status and body of a GET.
pub(crate) async fn get(url: &str) -> (u16, String) {
    let response = client().get(url).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Longer than anything takes; only a fault waits for its end.
const PATIENCE: Duration = Duration::from_secs(30);

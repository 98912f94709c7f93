//! Runs nginx in a folder of its own, as whoever runs the benchmark: it answers the same to every request, over TLS. It must not
//! know what it is compared with.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use landfall_harness::{free_port, wait};

use crate::secure::{CIPHER_NAME, Certificate};

const PATIENCE: Duration = Duration::from_secs(20);
/// The program; `make bench` names the one that it fetched.
const VARIABLE: &str = "NGINX";

/// A running nginx; dropping it ends it.
pub struct Nginx {
    master: Child,
    /// `127.0.0.1:PORT`.
    pub host: String,
    /// What it calls itself.
    pub version: String,
}

impl Nginx {
    /// Starts it with so many workers, and waits until it speaks TLS. `answer` is what it says.
    pub fn start(folder: &Path, certificate: &Certificate, workers: usize, answer: &str) -> Result<Self> {
        let program = std::env::var(VARIABLE).unwrap_or_else(|_| "nginx".to_owned());
        let host = format!("127.0.0.1:{}", free_port()?);
        let file = folder.join("nginx.conf");
        fs::write(&file, config(folder, certificate, (workers, &host, answer))?)?;
        let missing = || format!("{program} cannot be run: `make bench` fetches it, and {VARIABLE} names another one");
        let version = Command::new(&program).arg("-v").output().with_context(missing)?;
        let master = Command::new(&program)
            .arg("-e")
            .arg(folder.join("nginx.log"))
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(missing)?;
        let mut nginx = Self {
            master,
            host,
            version: String::from_utf8_lossy(&version.stderr)
                .trim()
                .replace("nginx version: ", ""),
        };
        let ready = wait::until(PATIENCE, "nginx to speak TLS", || match nginx.master.try_wait() {
            Ok(None) => certificate.connect(&nginx.host).is_ok().then_some(true),
            _ => Some(false),
        });
        if ready.is_ok_and(|ready| ready) {
            return Ok(nginx);
        }
        bail!(
            "nginx did not start: {}",
            fs::read_to_string(folder.join("nginx.log")).unwrap_or_default()
        )
    }

    /// The processes that answer.
    pub fn workers(&self) -> Result<Vec<u32>> {
        let pid = self.master.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        children.split_whitespace().map(|child| Ok(child.parse()?)).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its workers where it is asked to end; where it is killed, they stay.
        let pid = self.master.id().to_string();
        let _ = Command::new("sh")
            .args(["-c", "kill -TERM \"$1\"", "sh", &pid])
            .status();
        let _ = self.master.wait();
    }
}

/// Everything that it writes is in the folder. Connections are dealt out among the workers evenly. What costs time and is of no
/// use here is off: the log of requests, and the end of connections after many of them.
fn config(folder: &Path, certificate: &Certificate, (workers, host, answer): (usize, &str, &str)) -> Result<String> {
    let user = Command::new("id").arg("-un").output().context("id cannot be run")?;
    // Started by root, its workers would become somebody else, who may not read the folder.
    let user = match String::from_utf8_lossy(&user.stdout).trim() {
        "root" => "user root;",
        _ => "",
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|of| format!("    {of}_temp_path {}/{of};\n", folder.display()))
        .concat();
    Ok(format!(
        "{user}
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{
    worker_connections 1024;
}}
http {{
{temporary}    access_log off;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    default_type text/plain;
    server {{
        listen {host} ssl reuseport;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites {CIPHER_NAME};
        location / {{
            return 200 '{answer}';
        }}
    }}
}}
",
        folder = folder.display(),
        certificate = certificate.certificate.display(),
        key = certificate.key.display(),
    ))
}

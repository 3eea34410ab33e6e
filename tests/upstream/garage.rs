//! Garage, a real store behind the S3 API. `tests/run --long fleet` builds it into `target/tools`.

use super::running::{BUCKET, S3_KEY, eventually, free_port};
use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// One node on loopback. Dropped, it is killed.
pub struct Garage {
    program: PathBuf,
    folder: TempDir,
    child: Child,
    pub port: u16,
}

impl Garage {
    /// Starts one with a bucket.
    pub fn start() -> Self {
        let program = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/bin/garage"));
        assert!(program.exists(), "{} is not there; tests/run --long fleet builds it", program.display());
        let folder = tempfile::tempdir().unwrap();
        let (port, rpc, admin) = (free_port(), free_port(), free_port());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "metadata_dir = \"{}\"\ndata_dir = \"{}\"\ndb_engine = \"lmdb\"\nreplication_factor = 1\n\
             metadata_fsync = true\ndata_fsync = true\nrpc_bind_addr = \"127.0.0.1:{rpc}\"\n\
             rpc_public_addr = \"127.0.0.1:{rpc}\"\nrpc_secret = \"{}\"\n\
             [s3_api]\napi_bind_addr = \"127.0.0.1:{port}\"\ns3_region = \"garage\"\n\
             [admin]\napi_bind_addr = \"127.0.0.1:{admin}\"\n",
            path("meta"),
            path("data"),
            "1799bccfd7411eddcf9ebd316bc1f5287ad12a68094e1c6ac6abde7e6feae1ec"
        );
        std::fs::write(folder.path().join("garage.toml"), config).unwrap();
        let child = serve(&program, &folder);
        let garage = Self { program, folder, child, port };
        let mut node = String::new();
        eventually("garage answers", || {
            node = garage.ask(&["node", "id", "-q"]).unwrap_or_default();
            !node.is_empty() && garage.ask(&["status"]).is_some()
        });
        let node = node.split('@').next().unwrap().trim();
        garage.ask(&["layout", "assign", "-z", "here", "-c", "1G", node]).unwrap();
        garage.ask(&["layout", "apply", "--version", "1"]).unwrap();
        garage.ask(&["key", "import", "--yes", "-n", "receivers", S3_KEY[0], S3_KEY[1]]).unwrap();
        eventually("there is a bucket", || garage.ask(&["bucket", "create", BUCKET]).is_some());
        garage.ask(&["bucket", "allow", "--read", "--write", BUCKET, "--key", S3_KEY[0]]).unwrap();
        garage
    }

    /// What a command printed; `None` if it failed.
    fn ask(&self, arguments: &[&str]) -> Option<String> {
        let config = self.folder.path().join("garage.toml");
        let out = Command::new(&self.program).arg("-c").arg(config).args(arguments).output().unwrap();
        out.status.success().then(|| String::from_utf8(out.stdout).unwrap())
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.child = serve(&self.program, &self.folder);
    }
}

fn serve(program: &PathBuf, folder: &TempDir) -> Child {
    Command::new(program)
        .arg("-c")
        .arg(folder.path().join("garage.toml"))
        .arg("server")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Garage {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! `cargo xtask check-cuda`: types and lints of the CUDA path, where no CUDA toolkit is installed.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::experiments::exit_code;
use crate::workspace;

/// Answers what build scripts ask of a compiler, and makes empty files where they want kernels.
const STAND_IN: &str = r#"#!/bin/sh
# Stands in for nvcc where code is checked and not linked.
case "$1" in
--version)
  printf 'nvcc: NVIDIA (R) Cuda compiler driver\n\n\nCuda compilation tools, release 13.0, V13.0.48\n'
  exit 0 ;;
--list-gpu-code)
  printf 'sm_80\nsm_90\n'
  exit 0 ;;
esac
folder= name=kernel
while [ $# -gt 0 ]; do
  case "$1" in
  -o) shift; : > "$1" ;;
  --output-directory) shift; folder=$1 ;;
  *.cu) name=$(basename "$1" .cu) ;;
  esac
  shift
done
if [ -n "$folder" ]; then : > "$folder/$name.ptx"; fi
"#;

/// Packages that know nothing of devices; where others need them they are checked all the same.
const WITHOUT_TENSORS: [&str; 5] = ["aais-datasets", "aais-embedding", "aais-glmm", "aais-metrics", "xtask"];

/// Checks types and lints with the feature `cuda`.
#[derive(Args)]
pub struct CheckCuda {}

impl CheckCuda {
    /// Runs clippy with the feature and answers with its exit code.
    pub fn run(self) -> Result<ExitCode> {
        Ok(exit_code(command()?.status().context("starting cargo")?).into())
    }
}

/// The process, its stand-in compiler written beside what it builds.
pub fn command() -> Result<Command> {
    ensure!(
        cfg!(unix),
        "check-cuda needs a Unix shell; on this system build with `--features cuda` and a CUDA toolkit"
    );
    let folder = target_folder().join("check-cuda");
    let nvcc = write_stand_in(&folder)?;
    let mut path = OsString::from(&folder);
    if let Some(others) = env::var_os("PATH") {
        path.push(":");
        path.push(others);
    }
    let mut command = workspace::cargo();
    // A folder of its own: build scripts remember what they were told.
    command.env("CARGO_TARGET_DIR", &folder).env("PATH", path).env("NVCC", nvcc).env("CUDA_COMPUTE_CAP", "80");
    command.args(["clippy", "--workspace", "--all-targets", "--locked", "--features", "aais-experiments/cuda"]);
    for package in WITHOUT_TENSORS {
        command.args(["--exclude", package]);
    }
    command.args(["--", "-D", "warnings"]);
    Ok(command)
}

fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace::root().join("target"), PathBuf::from)
}

fn write_stand_in(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("nvcc");
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    // What is newer than a build script's output is built anew.
    if std::fs::read_to_string(&path).is_ok_and(|text| text == STAND_IN) {
        return Ok(path);
    }
    std::fs::write(&path, STAND_IN).with_context(|| format!("writing {}", path.display()))?;
    make_executable(&path)?;
    Ok(path)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).context("making it a program")
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_stand_in_answers_as_build_scripts_expect() {
        let folder = env::temp_dir().join(format!("aais-check-cuda-{}", std::process::id()));
        let nvcc = write_stand_in(&folder).unwrap();
        let told = |arguments: &[&str]| {
            let output = Command::new(&nvcc).args(arguments).output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap()
        };
        let version = told(&["--version"]);
        assert!(version.lines().nth(3).unwrap().contains("release 13.0,"));
        assert_eq!(told(&["--list-gpu-code"]), "sm_80\nsm_90\n");
        let object = folder.join("moe.o");
        told(&["-c", "-o", object.to_str().unwrap(), "moe.cu"]);
        told(&["--ptx", "--output-directory", folder.to_str().unwrap(), "src/unary.cu"]);
        assert!(object.is_file() && folder.join("unary.ptx").is_file());
        std::fs::remove_dir_all(folder).unwrap();
    }
}

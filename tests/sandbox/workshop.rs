//! What every test of the sandbox works with: a runtime, and jobs in a private folder.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use poundlock::runtime::{
    Argument, Cancel, FailureReport, Job, Limits, Outcome, PythonConfig, ResultFile, Run, RunError, Runtime,
    SandboxConfig,
};
use tempfile::TempDir;

/// The interpreter with NumPy, pandas, pyarrow and Matplotlib.
pub fn scientific_python() -> PythonConfig {
    let path = std::env::var_os("POUNDLOCK_TEST_PYTHON").expect(
        "POUNDLOCK_TEST_PYTHON must name a Python with numpy, pandas, pyarrow and matplotlib, e.g. one made with: \
         python3 -m venv .venv && .venv/bin/pip install numpy pandas pyarrow matplotlib",
    );
    PythonConfig::new(PathBuf::from(path))
}

/// The system's interpreter, without packages that scientists use.
pub fn bare_python() -> PythonConfig {
    PythonConfig::found_in("/usr/local/bin:/usr/bin".as_ref())
        .expect("the tests need a Python 3 of the system")
}

/// A sandbox around a private folder, entered through the program under test.
pub fn sandbox(private_folder: &Path) -> SandboxConfig {
    SandboxConfig {
        launcher: env!("CARGO_BIN_EXE_poundlock").into(),
        ..SandboxConfig::new(private_folder)
    }
}

/// A runtime that is ready, and a private folder for its jobs.
pub struct Workshop {
    pub runtime: Runtime,
    folder: TempDir,
    jobs: Mutex<u32>,
}

impl Workshop {
    pub fn open(python: PythonConfig) -> Self {
        // A node may be started with descriptors that do not close on execution; none may reach the code.
        let inherited = nix::unistd::dup(std::fs::File::open("/etc/passwd").unwrap()).unwrap();
        std::mem::forget(inherited);
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::probe(python, sandbox(folder.path()));
        runtime.readiness().expect("this machine must be able to sandbox");
        Self {
            runtime,
            folder,
            jobs: Mutex::new(0),
        }
    }

    /// The workshop of the interpreter with packages. Opening one takes seconds, so tests share it.
    pub fn scientific() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Workshop>> = OnceLock::new();
        SHARED
            .get_or_init(|| Arc::new(Self::open(scientific_python())))
            .clone()
    }

    /// The workshop of the interpreter without packages.
    pub fn bare() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Workshop>> = OnceLock::new();
        SHARED.get_or_init(|| Arc::new(Self::open(bare_python()))).clone()
    }

    /// A job of the function `run` in `source`, with little to use up.
    pub fn job(&self, source: &str) -> Job {
        let mut jobs = self.jobs.lock().unwrap();
        *jobs += 1;
        let folder = self.folder.path().join(format!("job-{jobs}"));
        std::fs::create_dir(&folder).unwrap();
        Job {
            source: source.to_owned(),
            entry_point: "run".to_owned(),
            arguments: Vec::new(),
            limits: Limits {
                wall_seconds: 60,
                cpu_seconds: 30,
                memory_bytes: 2 << 30,
                threads: 16,
                output_bytes: 4 << 20,
                log_bytes: 64 << 10,
                scratch_bytes: 16 << 20,
                open_files: 128,
            },
            log_path: folder.join("log"),
            result_path: folder.join("result"),
            folder,
        }
    }

    pub fn run(&self, job: &Job) -> Result<Run, RunError> {
        self.runtime.run(job, &Cancel::new().unwrap())
    }

    /// Runs `source` with arguments, and gives the result's file and bytes.
    pub fn returned(&self, source: &str, arguments: Vec<(String, Argument)>) -> (ResultFile, Vec<u8>) {
        let mut job = self.job(source);
        job.arguments = arguments;
        match self.run(&job).unwrap().outcome {
            Outcome::Succeeded(file) => {
                let bytes = std::fs::read(&file.path).unwrap();
                (file, bytes)
            }
            other => panic!("{other:?}\n{}", log(&job)),
        }
    }

    /// What `source` returns, as text.
    pub fn text(&self, source: &str, arguments: Vec<(String, Argument)>) -> String {
        String::from_utf8(self.returned(source, arguments).1).unwrap()
    }

    /// Runs `source`, which must fail, and gives the report and the log.
    pub fn failed(&self, source: &str) -> (FailureReport, String) {
        let job = self.job(source);
        match self.run(&job).unwrap().outcome {
            Outcome::Failed(report) => (report, log(&job)),
            other => panic!("{other:?}\n{}", log(&job)),
        }
    }
}

pub fn log(job: &Job) -> String {
    String::from_utf8_lossy(&std::fs::read(&job.log_path).unwrap_or_default()).into_owned()
}

//! Limits, and stopping a run.

use std::time::{Duration, Instant};

use poundlock::runtime::{Cancel, Outcome, Stop};

use crate::workshop::{Workshop, log};

#[test]
fn the_wall_clock_stops_a_sleeper_that_ignores_signals() {
    let workshop = Workshop::bare();
    let source = "
import signal, time
def run():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGXCPU, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(100)
";
    let mut job = workshop.job(source);
    job.limits.wall_seconds = 1;
    let run = workshop.run(&job).unwrap();
    assert_eq!(run.outcome, Outcome::TimedOut);
    assert!(
        run.used.wall >= Duration::from_secs(1) && run.used.wall < Duration::from_secs(10),
        "{:?}",
        run.used
    );
}

#[test]
fn processor_time_stops_a_loop() {
    let workshop = Workshop::bare();
    let mut job = workshop.job("def run():\n    while True: pass");
    job.limits.cpu_seconds = 1;
    let run = workshop.run(&job).unwrap();
    let Outcome::Failed(report) = run.outcome else {
        panic!("{run:?}")
    };
    assert_eq!(
        (report.stopped_by, report.class.name()),
        (Some(Stop::CpuTime), "TimeoutError")
    );
    assert!(run.used.cpu >= Duration::from_millis(900), "{:?}", run.used);
}

#[test]
fn memory_ends_in_a_memory_error_with_its_line() {
    let (report, _) =
        Workshop::bare().failed("def run():\n    x = []\n    while True: x.append(bytearray(1 << 24))");
    assert_eq!(
        (report.class.name(), report.line, report.stopped_by),
        ("MemoryError", Some(3), None)
    );
}

#[test]
fn what_a_run_used_is_measured() {
    let workshop = Workshop::bare();
    let job = workshop.job("def run():\n    x = bytearray(200 << 20)\n    return sum(range(10**6))");
    let run = workshop.run(&job).unwrap();
    assert!(run.used.peak_memory > 200 << 20, "{:?}", run.used);
    assert!(
        run.used.cpu > Duration::ZERO && run.used.wall >= run.used.cpu / 2,
        "{:?}",
        run.used
    );
}

#[test]
fn a_result_past_its_limit_fails_and_says_how_large_it_is() {
    let workshop = Workshop::bare();
    let mut job = workshop.job("def run(): return 'x' * 5000");
    job.limits.output_bytes = 4096;
    let Outcome::Failed(report) = workshop.run(&job).unwrap().outcome else {
        panic!("{}", log(&job))
    };
    assert_eq!(report.class.name(), "ValueError");
    assert!(log(&job).contains("5002 bytes; at most 4096"), "{}", log(&job));
    assert!(!job.result_path.try_exists().unwrap());
}

#[test]
fn the_log_is_cut_with_a_mark_and_the_run_goes_on() {
    let workshop = Workshop::bare();
    let mut job = workshop.job("def run():\n    for i in range(100000): print('line', i)\n    return 'done'");
    job.limits.log_bytes = 1000;
    assert!(matches!(
        workshop.run(&job).unwrap().outcome,
        Outcome::Succeeded(_)
    ));
    let log = log(&job);
    assert!(log.starts_with("line 0\nline 1\n"));
    assert!(
        log.ends_with("\n[the log ends here: it reached its limit]\n"),
        "{log}"
    );
    assert!(log.len() < 1100);
}

#[test]
fn a_log_of_exactly_the_limit_is_whole() {
    let workshop = Workshop::bare();
    let mut job = workshop.job("def run(): print('1234')");
    job.limits.log_bytes = 5;
    workshop.run(&job).unwrap();
    assert_eq!(log(&job), "1234\n");
}

#[test]
fn threads_work_up_to_the_limit() {
    let source = "
import threading
def run():
    done = []
    threads = [threading.Thread(target=lambda: done.append(1)) for _ in range(10)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return len(done)
";
    assert_eq!(Workshop::bare().text(source, Vec::new()), "10\n");
}

#[test]
fn cancelling_stops_a_run_at_once() {
    let workshop = Workshop::bare();
    let job = workshop.job("import time\ndef run():\n    print('begun')\n    time.sleep(1000)");
    let cancel = Cancel::new().unwrap();
    let stop = cancel.clone();
    let log_path = job.log_path.clone();
    let began = Instant::now();
    let stopper = std::thread::spawn(move || {
        // The log is written as it comes, so the run is known to be under way.
        while std::fs::read(&log_path).is_ok_and(|log| log.is_empty()) || !log_path.try_exists().unwrap() {
            std::thread::yield_now();
        }
        stop.cancel();
    });
    let run = workshop.runtime.run(&job, &cancel).unwrap();
    stopper.join().unwrap();
    assert_eq!(run.outcome, Outcome::Cancelled);
    assert!(began.elapsed() < Duration::from_secs(30));
    let before = Cancel::new().unwrap();
    before.cancel();
    let job = workshop.job("def run(): return 1");
    assert_eq!(
        workshop.runtime.run(&job, &before).unwrap().outcome,
        Outcome::Cancelled
    );
}

#[test]
fn impossible_limits_are_refused_before_anything_runs() {
    let workshop = Workshop::bare();
    let mut job = workshop.job("def run(): return 1");
    job.limits.scratch_bytes = 0;
    assert!(
        workshop
            .run(&job)
            .unwrap_err()
            .to_string()
            .contains("scratch_bytes")
    );
    job.limits.scratch_bytes = 1 << 20;
    job.limits.memory_bytes = 1 << 20;
    assert!(workshop.run(&job).unwrap_err().to_string().contains("memory"));
}

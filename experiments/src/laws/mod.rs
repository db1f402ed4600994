//! `laws`: learned laws of random effects on data with known truth, and on real data held out group by group.

mod cell;
mod real;
mod report;
mod simulation;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail, ensure};
use clap::Args;

use cell::Cell;
use real::{DATA_SETS, RealCell};
use simulation::Setting;

/// What is simulated and where results go.
#[derive(Args, Clone, Debug)]
pub struct Laws {
    /// Simulations of each of the six settings
    #[arg(long, default_value_t = 100)]
    pub simulations: u64,
    /// Only these settings, such as `logistic-normal`, separated by commas
    #[arg(long, value_delimiter = ',')]
    pub settings: Vec<String>,
    /// Side by side; the number of cores if left out
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Folder that holds the folder `laws`
    #[arg(long, default_value = "target/reproduce")]
    pub out: PathBuf,
    /// Run nothing; fail if finished results break a claim
    #[arg(long)]
    pub check: bool,
}

/// Finished simulations by setting, and finished data sets.
type Finished = (Vec<(Setting, Vec<Cell>)>, Vec<RealCell>);

/// One piece of work.
enum Job {
    Simulation(Setting, u64),
    Real(usize),
}

impl Laws {
    /// Runs what is missing and writes the report.
    ///
    /// # Errors
    /// If a setting is unknown, a training fails, a file cannot be written, or a claim that is checked does not hold.
    pub fn run(&self) -> Result<()> {
        ensure!(self.jobs != Some(0), "--jobs must be at least 1");
        if self.check {
            return self.check_claims();
        }
        let settings = self.settings()?;
        let real = (0..DATA_SETS.len()).map(Job::Real);
        let simulations = (1..=self.simulations).flat_map(|n| settings.iter().map(move |s| Job::Simulation(*s, n)));
        let missing: Vec<Job> = real.chain(simulations).filter(|job| !self.path(job).exists()).collect();
        eprintln!("learned laws: {} pieces to do", missing.len());
        self.work(&missing)?;
        self.report()
    }

    fn settings(&self) -> Result<Vec<Setting>> {
        let known = || Setting::ALL.map(Setting::name).join(", ");
        let find = |name: &String| {
            let found = Setting::ALL.into_iter().find(|setting| setting.name() == *name);
            found.ok_or_else(|| anyhow::anyhow!("unknown setting `{name}`; they are {}", known()))
        };
        if self.settings.is_empty() { Ok(Setting::ALL.to_vec()) } else { self.settings.iter().map(find).collect() }
    }

    fn path(&self, job: &Job) -> PathBuf {
        let folder = self.out.join("laws").join("cells");
        match job {
            Job::Simulation(setting, n) => folder.join(setting.name()).join(format!("{n}.json")),
            Job::Real(k) => folder.join("data").join(format!("{}.json", DATA_SETS[*k].name)),
        }
    }

    /// Each piece is a pure function of its number, so that it does not matter who takes it.
    fn work(&self, missing: &[Job]) -> Result<()> {
        let jobs = self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let next = AtomicUsize::new(0);
        let work = || -> Result<()> {
            while let Some(job) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                let path = self.path(job);
                match job {
                    Job::Simulation(setting, n) => {
                        let cell = Cell::run(*setting, *n)?;
                        cell.write(&path)?;
                        eprintln!("{:20} {n:3}  KS {:.3}  ({:.0} s)", setting.name(), cell.learned.ks, cell.seconds);
                    }
                    Job::Real(k) => {
                        let cell = RealCell::run(&DATA_SETS[*k])?;
                        cell.write(&path)?;
                        eprintln!("{:20}      gain {:.2}  ({:.0} s)", cell.name, cell.difference, cell.seconds);
                    }
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs.clamp(1, missing.len().max(1))).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker.join().unwrap_or_else(|_| bail!("a training thread broke down; this is a bug"))
            })
        })
    }

    fn report(&self) -> Result<()> {
        let (cells, real) = self.finished()?;
        report::write(&self.out.join("laws"), &cells, &real)
    }

    fn check_claims(&self) -> Result<()> {
        let (cells, _) = self.finished()?;
        let n: usize = cells.iter().map(|(_, cells)| cells.len()).sum();
        ensure!(n > 0, "no simulation in {}; run `laws` first", self.out.join("laws").display());
        let broken = report::claims(&cells);
        ensure!(broken.is_empty(), "claims that do not hold:\n{}", broken.join("\n"));
        println!("laws: {n} simulations, every claim holds");
        Ok(())
    }

    fn finished(&self) -> Result<Finished> {
        let mut cells: Vec<(Setting, Vec<Cell>)> = Vec::new();
        for setting in Setting::ALL {
            let mut found = Vec::new();
            for n in 1.. {
                let Some(cell) = Cell::read(&self.path(&Job::Simulation(setting, n)))? else { break };
                found.push(cell);
            }
            cells.push((setting, found));
        }
        let mut real = Vec::new();
        for k in 0..DATA_SETS.len() {
            real.extend(RealCell::read(&self.path(&Job::Real(k)))?);
        }
        Ok((cells, real))
    }
}

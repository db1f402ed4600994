//! What the values of a config may be, once their types are right.
//!
//! The settings of a draw are checked by the draw itself, before anything is trained.

use aais_models::Architecture;
use anyhow::{Context, Result, ensure};

use super::{Config, Data, Evaluate, Method, Task, Train};

/// Of samples, transitions or bins: far more than any use, and few enough that a slip does not take all memory.
const MOST: usize = 1_000_000;

impl Config {
    pub(super) fn check(&self) -> Result<()> {
        ensure!(self.seeds > 0, "`seeds` must be at least 1");
        self.check_data()?;
        self.train.check()?;
        self.evaluate.check(self.task)?;
        self.check_methods()
    }

    /// The data fit the task and the architecture.
    fn check_data(&self) -> Result<()> {
        let (task, width) = match &self.data {
            Data::Exponential(_) | Data::Mixture(_) => (Task::Signal, 1),
            Data::Circle(circle) => {
                positive("noise_variance", circle.noise_variance)?;
                (Task::Circle, 2)
            }
            Data::Copula(copula) => {
                ensure!(copula.n_rows > 0, "`n_rows` must be at least 1");
                positive("theta", copula.theta)?;
                positive("covariate_std", copula.counts.covariate_std)?;
                ensure!(copula.dimension > 1, "`dimension` must be at least 2, got {}", copula.dimension);
                (Task::Copula, copula.counts.beta.len() + copula.dimension + 1)
            }
            Data::VerbAgg {} => (Task::Answers, 6),
            Data::Cortex(cortex) => (Task::Clusters, cortex.n_genes),
            Data::Mnist(images) => {
                ensure!(images.train_rows > 0, "`train_rows` must be at least 1");
                ensure!(images.test_rows > 0, "`test_rows` must be at least 1");
                // That the images have as many pixels is told where they are read.
                (Task::Images, Architecture::paper(&self.architecture)?.observed)
            }
        };
        ensure!(self.task == task, "`task` does not fit the data that `data.name` names");
        let has_images = self.quick.images.is_none_or(|rows| task == Task::Images && rows.iter().all(|n| *n > 0));
        ensure!(has_images, "`quick.images` is for data that are images, `[train, test]`, at least 1 each");
        let architecture = Architecture::paper(&self.architecture)?;
        let (observed, name) = (architecture.observed, &self.architecture);
        if let Data::Copula(copula) = &self.data {
            let [fixed, signal] = [architecture.likelihood_parameters, architecture.signal];
            let fits = fixed == copula.counts.beta.len() && signal == copula.dimension;
            ensure!(
                fits,
                "`architecture` {name} has {fixed} fixed effects and a signal of {signal} coordinates, the data another number"
            );
        }
        ensure!(observed == width, "`architecture` {name} takes rows of width {observed}, the data have {width}");
        Ok(())
    }

    fn check_methods(&self) -> Result<()> {
        ensure!(!self.methods.is_empty(), "there is nothing to train; add a table [[methods]]");
        for (k, method) in self.methods.iter().enumerate() {
            let train = self.train_of(method);
            train.check().with_context(|| format!("`train` of method `{}`", method.row))?;
            method.check(train.epochs)?;
            let own = self.architecture_of(method)?;
            let table = Architecture::paper(&self.architecture)?;
            method.check_task(self.task)?;
            let has_its_own = method.reconstruction.is_some() == (self.task == Task::Images);
            ensure!(
                has_its_own,
                "`reconstruction` of method `{}`: rows of task `images` need it, no others",
                method.row
            );
            let fits = (own.observed, own.signal) == (table.observed, table.signal);
            ensure!(fits, "the architecture of method `{}` takes rows of another width than the data's", method.row);
            let is_new = self.methods[..k].iter().all(|earlier| earlier.row != method.row);
            ensure!(is_new, "two methods have the row `{}`; each needs a name of its own", method.row);
        }
        Ok(())
    }
}

impl Train {
    // The trainer checks these too, but only when the first cell begins.
    fn check(&self) -> Result<()> {
        ensure!(self.epochs > 0, "`epochs` must be at least 1");
        ensure!(self.batch_size > 0, "`batch_size` must be at least 1");
        positive("learning_rate", self.learning_rate.into())?;
        let decay = self.weight_decay;
        ensure!(decay.is_finite() && decay >= 0.0, "`weight_decay` must be zero or a positive number, got {decay}");
        let rate = self.average_rate;
        ensure!((0.0..1.0).contains(&rate), "`average_rate` must be at least 0 and below 1, got {rate}");
        Ok(())
    }
}

impl Evaluate {
    fn check(&self, task: Task) -> Result<()> {
        ensure!(self.n_generated > 0 || task == Task::Clusters, "`n_generated` must be at least 1");
        match task {
            Task::Signal | Task::Copula => {
                ensure!(self.histogram.is_some(), "this task needs `evaluate.histogram`");
            }
            Task::Answers => (),
            Task::Clusters => ensure!(
                self.n_points.is_some() && self.restarts.is_some_and(|restarts| (1..=MOST).contains(&restarts)),
                "task `clusters` needs `evaluate.n_points`, and `evaluate.restarts` of 1 to {MOST}"
            ),
            Task::Images => ensure!(
                self.n_reconstructed.is_some() && self.n_samples.is_some_and(|samples| (1..=MOST).contains(&samples)),
                "task `images` needs `evaluate.n_reconstructed`, and `evaluate.n_samples` of 1 to {MOST}"
            ),
            Task::Circle => ensure!(
                self.n_points.is_some() && self.inside.is_some(),
                "task `circle` needs `evaluate.n_points` and `evaluate.inside`"
            ),
        }
        if let Some(bins) = self.histogram {
            let is_interval = bins.low < bins.high && (bins.high - bins.low).is_finite();
            ensure!(is_interval, "`evaluate.histogram` needs low < high, both finite");
            ensure!((1..=MOST).contains(&bins.bins), "`bins` must be 1 to {MOST}, got {}", bins.bins);
        }
        self.inside.map_or(Ok(()), |radius| positive("inside", radius))
    }
}

impl Method {
    /// The row can be a folder, and its method takes its settings for so many epochs.
    fn check(&self, epochs: usize) -> Result<()> {
        let row = &self.row;
        let is_name = !row.is_empty() && row.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        ensure!(is_name, "`row = \"{row}\"` must be made of letters, digits and `-`");
        ensure!(!row.ends_with("-ema"), "`row = \"{row}\"` must not end in -ema, which marks averaged parameters");
        ensure!(self.seeds != Some(0), "`seeds` of method `{row}` must be at least 1");
        if self.fit()?.is_some() {
            ensure!(self.train.is_none(), "`train` of method `{row}`: it is fitted, not trained");
            return Ok(());
        }
        if let Some(scvi) = self.scvi()? {
            return scvi.check(epochs).with_context(|| format!("settings of method `{row}`"));
        }
        let objective = self.objective()?;
        for (name, value) in &self.settings {
            ensure!(!value.as_float().is_some_and(f64::is_nan), "`{name}` of method `{row}` is not a number");
            let is_count = ["n_samples", "n_transitions"].contains(&name.as_str());
            let fits = value.as_integer().and_then(|count| usize::try_from(count).ok()).is_some_and(|n| n <= MOST);
            ensure!(!is_count || fits, "`{name}` of method `{row}` must be at most {MOST}, got {value}");
        }
        objective.check(epochs).with_context(|| format!("settings of method `{row}`"))
    }

    /// Fits and scVI are for the data of one task.
    fn check_task(&self, task: Task) -> Result<()> {
        let own = match self.fit()? {
            Some(fit) => Some(fit.task()),
            None => self.scvi()?.map(|_| Task::Clusters),
        };
        ensure!(own.is_none_or(|own| own == task), "method `{}` fits data of another task", self.row);
        Ok(())
    }
}

fn positive(name: &str, value: f64) -> Result<()> {
    ensure!(value.is_finite() && value > 0.0, "`{name}` must be a positive number, got {value}");
    Ok(())
}

//! Which run may be taken up, beside those that are under way and after what befell the last ones.

use crate::domain::job::Data;

/// How many runs one after the other the node may fail to carry out before the rest of the queue waits: what is wrong with it would
/// end them all.
const FAULTS_MAX: u32 = 3;

/// How many runs may be under way at once; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// So many, whatever data they receive.
    Shared(u16),
    /// So many on mocks, and as many on private data. Where scientists run code on mocks beside private data, how long theirs
    /// wait must not tell when other code runs on that.
    Apart(u16),
}

/// What counts of a run that is under way for those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beside {
    pub(super) data: Data,
    /// It was taken up to see whether the node carries out runs again.
    pub(super) on_trial: bool,
}

impl Places {
    /// How many runs of one kind may be under way at once.
    pub(super) fn of_each(self) -> usize {
        let (Self::Shared(count) | Self::Apart(count)) = self;
        usize::from(count.max(1))
    }

    /// Whether there is one for a run on `data`, beside those that are under way.
    pub(super) fn has_one_for(self, data: Data, under_way: &[Beside]) -> bool {
        let taken = under_way.iter().filter(|run| self.share(run.data, data));
        taken.count() < self.of_each()
    }

    /// Whether runs on the one kind of data may wait because of runs on the other.
    fn share(self, one: Data, other: Data) -> bool {
        match self {
            Self::Shared(_) => true,
            Self::Apart(_) => one == other,
        }
    }
}

/// How many runs that had begun could not be carried out one after the other, for a fault of the node's. Where the kinds of data have
/// places apart, each has a count of its own: else runs on mocks would wait because of those on private data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    places: Places,
    on_mocks: u32,
    on_private_data: u32,
}

impl Faults {
    pub(super) fn none(places: Places) -> Self {
        Self {
            places,
            on_mocks: 0,
            on_private_data: 0,
        }
    }

    fn of(&self, data: Data) -> u32 {
        match data {
            Data::Mock => self.on_mocks,
            Data::Private => self.on_private_data,
        }
    }

    /// Changes the count for `data`, and for the kind that shares its places.
    fn change(&mut self, data: Data, change: impl Fn(u32) -> u32) {
        if self.places.share(Data::Mock, data) {
            self.on_mocks = change(self.on_mocks);
        }
        if self.places.share(Data::Private, data) {
            self.on_private_data = change(self.on_private_data);
        }
    }

    /// Whether the last run on `data` could not be carried out.
    pub(super) fn any(&self, data: Data) -> bool {
        self.of(data) > 0
    }

    /// Whether a run on `data` may begin: after a fault one at a time, so that what is wrong ends no more runs than it must; after too
    /// many none.
    pub(super) fn let_one_begin(&self, data: Data, under_way: &[Beside]) -> bool {
        let tried = |run: &Beside| run.on_trial && self.places.share(run.data, data);
        match self.of(data) {
            0 => true,
            1..FAULTS_MAX => !under_way.iter().any(tried),
            FAULTS_MAX.. => false,
        }
    }

    /// A run on `data` was carried out, whatever came of it.
    pub(super) fn clear(&mut self, data: Data) {
        self.change(data, |_| 0);
    }

    /// A run on `data` had begun, and could not be carried out.
    pub(super) fn one_more(&mut self, data: Data) {
        self.change(data, |count| count.saturating_add(1));
        if self.of(data) >= FAULTS_MAX {
            tracing::error!(
                ?data,
                "the queue of runs waits: the last {FAULTS_MAX} that began could not be carried out; see above why, and their own logs; \
                 mend that, then start a run or the node again"
            );
        }
    }

    /// Lets one more run on `data` be tried.
    pub(super) fn try_one_more(&mut self, data: Data) {
        self.change(data, |count| count.min(FAULTS_MAX - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOCK: Data = Data::Mock;
    const PRIVATE: Data = Data::Private;

    fn running(data: &[Data]) -> Vec<Beside> {
        let run = |data: &Data| Beside {
            data: *data,
            on_trial: false,
        };
        data.iter().map(run).collect()
    }

    fn trial(data: Data) -> Beside {
        Beside { data, on_trial: true }
    }

    #[test]
    fn runs_on_private_data_take_no_place_of_those_on_mocks_where_they_are_apart() {
        let busy = |places: Places, data, under_way: &[Data]| !places.has_one_for(data, &running(under_way));
        assert!(!busy(Places::Apart(1), MOCK, &[PRIVATE]));
        assert!(!busy(Places::Apart(1), PRIVATE, &[MOCK]));
        assert!(busy(Places::Apart(1), MOCK, &[PRIVATE, MOCK]));
        assert!(busy(Places::Shared(2), MOCK, &[PRIVATE, PRIVATE]));
        assert!(!busy(Places::Shared(2), PRIVATE, &[MOCK]));
        assert!(
            !busy(Places::Shared(0), PRIVATE, &[]),
            "a node that runs nothing would never finish"
        );
    }

    #[test]
    fn after_a_fault_runs_are_tried_one_at_a_time_and_after_three_none() {
        let mut faults = Faults::none(Places::Shared(4));
        let others = running(&[PRIVATE, MOCK]);
        assert!(faults.let_one_begin(MOCK, &others) && !faults.any(MOCK));
        faults.one_more(PRIVATE);
        assert!(
            faults.let_one_begin(MOCK, &others),
            "what began before holds nobody up"
        );
        assert!(faults.any(MOCK));
        assert!(!faults.let_one_begin(PRIVATE, &[trial(MOCK)]));
        faults.one_more(MOCK);
        assert!(faults.let_one_begin(MOCK, &[]));
        faults.one_more(MOCK);
        assert!(!faults.let_one_begin(MOCK, &[]) && !faults.let_one_begin(PRIVATE, &[]));
        faults.one_more(MOCK);
        faults.try_one_more(MOCK);
        assert!(faults.let_one_begin(MOCK, &[]));
        assert!(
            !faults.let_one_begin(MOCK, &[trial(MOCK)]),
            "one more is tried, not as many as there are places"
        );
        faults.clear(PRIVATE);
        assert!(faults.let_one_begin(MOCK, &[trial(MOCK)]));
    }

    #[test]
    fn faults_of_runs_on_private_data_let_those_on_mocks_go_on_where_they_are_apart() {
        let mut faults = Faults::none(Places::Apart(2));
        for _ in 0..FAULTS_MAX {
            faults.one_more(PRIVATE);
        }
        assert!(!faults.let_one_begin(PRIVATE, &[]));
        assert!(faults.let_one_begin(MOCK, &[trial(PRIVATE)]) && !faults.any(MOCK));
        faults.clear(MOCK);
        faults.try_one_more(MOCK);
        assert!(!faults.let_one_begin(PRIVATE, &[]));
    }
}

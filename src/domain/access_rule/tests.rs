use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::id::{AssetId, ReleaseId};

const MAKER: UserId = UserId(Uuid::from_u128(1000));
const ADA: UserId = UserId(Uuid::from_u128(1));

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn draft(effect: Effect, tags: &[&str]) -> RuleDraft {
    RuleDraft {
        name: "teaching".into(),
        effect,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        until: None,
    }
}

fn accepting(quota: Quota, days: Option<u32>) -> Effect {
    Effect::Accept {
        types: [OpenType::Mock, OpenType::Release].into(),
        quota,
        days,
    }
}

fn denying() -> Effect {
    Effect::Deny {
        types: SightType::ALL.into(),
        reason: "not for teaching".into(),
    }
}

fn rule(number: u128, made: i64, effect: Effect, tags: &[&str]) -> (RuleId, AccessRule) {
    let rule = AccessRule::new(&draft(effect, tags), MAKER, "Olga", at(made), at(0)).unwrap();
    (RuleId(Uuid::from_u128(number)), rule)
}

fn bearing(tags: &[&str]) -> BTreeSet<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

const MOCK: Sight = Sight::Mock(AssetId(Uuid::from_u128(5)));

fn ruling(rules: &[(RuleId, AccessRule)], sight: Sight, tags: &[BTreeSet<String>]) -> Option<Ruling> {
    let asked = Asked {
        sight,
        requester: ADA,
        tags,
    };
    rule_on(rules, &asked, |_| Used::default(), at(10))
}

fn granted_by(number: u128) -> Option<Ruling> {
    Some(Ruling::Grant {
        rule: RuleId(Uuid::from_u128(number)),
        until: None,
    })
}

#[test]
fn a_rule_fits_what_bears_all_of_its_tags() {
    let rules = [rule(
        1,
        0,
        accepting(Quota::default(), None),
        &["#Open", "teaching", "open"],
    )];
    assert_eq!(rules[0].1.tags, ["open", "teaching"]);
    let all = bearing(&["health", "open", "teaching"]);
    assert_eq!(ruling(&rules, MOCK, std::slice::from_ref(&all)), granted_by(1));
    assert_eq!(ruling(&rules, MOCK, &[bearing(&["open"])]), None);
    assert_eq!(
        ruling(&rules, MOCK, &[]),
        None,
        "what comes from nowhere is nobody's to give"
    );
    assert_eq!(
        ruling(&rules, MOCK, &[all, bearing(&["open"])]),
        None,
        "one dataset of two is not enough to grant"
    );
}

#[test]
fn one_dataset_of_several_is_enough_to_deny() {
    let rules = [
        rule(1, 0, accepting(Quota::default(), None), &["open"]),
        rule(2, 5, denying(), &["exam"]),
    ];
    let [open, exam] = [bearing(&["open"]), bearing(&["open", "exam"])];
    assert_eq!(ruling(&rules, MOCK, std::slice::from_ref(&open)), granted_by(1));
    let denied = Ruling::Deny {
        rule: RuleId(Uuid::from_u128(2)),
        reason: "not for teaching".into(),
    };
    assert_eq!(
        ruling(&rules, MOCK, &[open, exam]),
        Some(denied),
        "although the other rule is older"
    );
}

#[test]
fn of_two_rules_that_accept_the_older_counts_until_its_quota_is_used_up() {
    let once = Quota {
        per_person: Some(1),
        in_all: None,
    };
    let rules = [
        rule(1, 7, accepting(Quota::default(), None), &["open"]),
        rule(2, 3, accepting(once, Some(30)), &["open"]),
    ];
    let tags = [bearing(&["open"])];
    let asked = Asked {
        sight: MOCK,
        requester: ADA,
        tags: &tags,
    };
    let second = RuleId(Uuid::from_u128(2));
    let used = |times| {
        move |rule| {
            let by_requester = if rule == second { times } else { 0 };
            Used {
                by_requester,
                in_all: by_requester,
            }
        }
    };
    let thirty_days = at(10) + SignedDuration::from_hours(720);
    assert_eq!(
        rule_on(&rules, &asked, used(0), at(10)),
        Some(Ruling::Grant {
            rule: second,
            until: Some(thirty_days)
        })
    );
    assert_eq!(rule_on(&rules, &asked, used(1), at(10)), granted_by(1));
}

#[test]
fn a_rule_ends_and_grants_its_maker_nothing() {
    let mut rules = [rule(1, 0, accepting(Quota::default(), None), &["open"])];
    let tags = [bearing(&["open"])];
    rules[0].1.until = Some(at(11));
    assert_eq!(ruling(&rules, MOCK, &tags), granted_by(1));
    rules[0].1.until = Some(at(10));
    assert_eq!(ruling(&rules, MOCK, &tags), None);
    rules[0].1.until = None;
    rules[0].1.by = ADA;
    assert_eq!(ruling(&rules, MOCK, &tags), None);
}

#[test]
fn what_is_wrong_with_a_rule_is_named() {
    let field = |draft: &RuleDraft| {
        AccessRule::new(draft, MAKER, "Olga", at(0), at(0))
            .unwrap_err()
            .field
    };
    let open = Quota::default();
    let none_in_all = Quota {
        in_all: Some(0),
        ..open
    };
    assert_eq!(field(&draft(accepting(open, None), &[])), "tags");
    assert_eq!(
        field(&draft(accepting(none_in_all, None), &["open"])),
        "quota.in_all"
    );
    assert_eq!(field(&draft(accepting(open, Some(0)), &["open"])), "days");
    let nothing = Effect::Accept {
        types: BTreeSet::new(),
        quota: open,
        days: None,
    };
    assert_eq!(field(&draft(nothing, &["open"])), "types");
    let silent = Effect::Deny {
        types: SightType::ALL.into(),
        reason: " ".into(),
    };
    assert_eq!(field(&draft(silent, &[])), "reason");
    let past = RuleDraft {
        until: Some(at(0)),
        ..draft(denying(), &[])
    };
    assert_eq!(field(&past), "until");
    assert_eq!(field(&draft(denying(), &["two\nlines"])), "tags[0]");
}

fn some_tags() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set("[abc]", 0..4)
}

fn some_rule() -> impl Strategy<Value = (RuleId, AccessRule)> {
    let effect = prop_oneof![
        (
            prop::option::of(1u32..4),
            prop::option::of(1u32..6),
            prop::option::of(1u32..9)
        )
            .prop_map(|(per_person, in_all, days)| accepting(Quota { per_person, in_all }, days)),
        prop::collection::btree_set(prop::sample::select(SightType::ALL.to_vec()), 1..3).prop_map(|types| {
            Effect::Deny {
                types,
                reason: "no".into(),
            }
        }),
    ];
    (
        any::<u128>(),
        0i64..5,
        effect,
        some_tags(),
        prop::option::of(1i64..40),
    )
        .prop_filter_map(
            "a rule that accepts names a tag",
            |(id, made, effect, tags, until)| {
                let draft = RuleDraft {
                    name: "r".into(),
                    effect,
                    tags: tags.into_iter().collect(),
                    until: until.map(at),
                };
                let made = AccessRule::new(&draft, MAKER, "Olga", at(made), at(0)).ok()?;
                Some((RuleId(Uuid::from_u128(id)), made))
            },
        )
}

fn some_sight() -> impl Strategy<Value = Sight> {
    let id = Uuid::from_u128(5);
    prop::sample::select(vec![
        Sight::Mock(AssetId(id)),
        Sight::Release(ReleaseId(id)),
        Sight::PrivateData(AssetId(id)),
    ])
}

proptest! {
    /// A day of requests, each counted against the rule that granted it.
    #[test]
    fn no_history_of_requests_grants_what_no_rule_allows(
        rules in prop::collection::vec(some_rule(), 0..6),
        requests in prop::collection::vec((some_sight(), 1u128..4, prop::collection::vec(some_tags(), 0..3)), 0..40),
    ) {
        let mut grants: Vec<(RuleId, UserId)> = Vec::new();
        for (second, (sight, requester, tags)) in (0i64..).zip(&requests) {
            let requester = UserId(Uuid::from_u128(*requester));
            let asked = Asked { sight: *sight, requester, tags };
            let used = |rule| {
                let of_rule = grants.iter().filter(|(by, _)| *by == rule);
                let by_requester = of_rule.clone().filter(|(_, to)| *to == requester).count();
                Used { by_requester: u32::try_from(by_requester).unwrap(), in_all: u32::try_from(of_rule.count()).unwrap() }
            };
            let ruling = rule_on(&rules, &asked, used, at(second));
            let mut turned = rules.clone();
            turned.reverse();
            prop_assert_eq!(&ruling, &rule_on(&turned, &asked, used, at(second)), "the order of the list counts for nothing");
            let of = |id: RuleId| &rules.iter().find(|(other, _)| *other == id).unwrap().1;
            let denies = |rule: &AccessRule| matches!(rule.effect, Effect::Deny { .. }) && rule.fits(&asked, at(second));
            match ruling {
                Some(Ruling::Grant { rule, until }) => {
                    prop_assert!(sight.kind() != SightType::PrivateData, "a rule granted private data");
                    prop_assert!(!rules.iter().any(|(_, other)| denies(other)), "a rule that denies was passed over");
                    let granting = of(rule);
                    prop_assert!(granting.until.is_none_or(|end| at(second) < end));
                    prop_assert!(!tags.is_empty());
                    prop_assert!(tags.iter().all(|dataset| granting.tags.iter().all(|tag| dataset.contains(tag))));
                    prop_assert!(until.is_none_or(|until| until > at(second)));
                    grants.push((rule, requester));
                }
                Some(Ruling::Deny { rule, .. }) => prop_assert!(denies(of(rule))),
                None => prop_assert!(!rules.iter().any(|(_, other)| denies(other))),
            }
        }
        for (id, rule) in &rules {
            if let Effect::Accept { quota, .. } = &rule.effect {
                let granted = grants.iter().filter(|(by, _)| by == id);
                prop_assert!(quota.in_all.is_none_or(|most| granted.clone().count() <= most as usize));
                for person in 1..4 {
                    let person = UserId(Uuid::from_u128(person));
                    let theirs = granted.clone().filter(|(_, to)| *to == person).count();
                    prop_assert!(quota.per_person.is_none_or(|most| theirs <= most as usize));
                }
            }
        }
    }
}

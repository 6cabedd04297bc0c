//! People, roles and groups.

use super::*;
use crate::acts::{groups, listing, roles};
use crate::domain::access::Denied;
use crate::domain::id::{GroupId, RoleId};
use crate::domain::notification::Event;
use crate::domain::object::Body;
use crate::store::read::Read;
use crate::store::tables::{HOLDERS, MEMBERS, OUTBOX};

fn everybody(lab: &Lab, actor: &Actor, wanted: &Wanted) -> Vec<u128> {
    let (people, _) = list(&lab.view(), actor, wanted, None, 50).unwrap();
    people.iter().map(|person| person.object.id.as_u128()).collect()
}

fn role_of(person: &Person) -> String {
    person.account.as_ref().unwrap().role.1.name.clone()
}

#[test]
fn nobody_gives_a_role_that_is_above_their_own() {
    let lab = Lab::ready();
    let administrator = preset(Preset::Administrator);
    let refused = lab.create(Some(&administrator), 11, Some("owner")).unwrap_err();
    assert!(matches!(refused, Refusal::Denied(Denied(Permission::EditRoles))));
    let officer = lab.create(Some(&administrator), 11, Some("compliance_officer"));
    assert_eq!(role_of(&officer.unwrap()), "Compliance Officer");
    let officer = preset(Preset::ComplianceOfficer);
    assert!(matches!(
        lab.create(Some(&officer), 12, None),
        Err(Refusal::Denied(Denied(Permission::CreateUsers)))
    ));
    assert_eq!(
        word(lab.create(Some(&administrator), 12, Some("Wizard"))),
        "not_found"
    );
}

#[test]
fn people_register_themselves_only_where_that_is_on() {
    let lab = Lab::ready();
    assert_eq!(word(lab.create(None, 11, None)), "registration_closed");
    lab.switch(Key::AllowRegistration);
    let made = lab.create(None, 11, Some("Owner")).unwrap();
    assert_eq!(
        role_of(&made),
        "User",
        "whoever registers themselves is a scientist"
    );
    let (_, told) = lab.view().last(&OUTBOX).unwrap().unwrap();
    assert_eq!(
        (told.event, told.about),
        (Event::UserRegistered, Some(made.object.id))
    );
    assert_eq!(lab.actions().last().unwrap(), "user.created");
    let taken = NewUser {
        id: id(12),
        profile: profile("Other", "P11@Example.org"),
        credentials: password("-"),
        role: None,
    };
    let taken = lab.act(move |tx, here| create_user(tx, here, None, &taken));
    assert!(matches!(taken, Err(Refusal::Record(_))), "{taken:?}");
}

#[test]
fn people_are_found_by_name_address_role_and_group() {
    let lab = Lab::ready();
    let owner = preset(Preset::Owner);
    lab.create(Some(&owner), 11, Some("compliance officer")).unwrap();
    lab.create(Some(&owner), 12, None).unwrap();
    let by = owner.clone();
    lab.act(move |tx, here| {
        let group = GroupId(Uuid::from_u128(50));
        groups::create(tx, &by, here, group, ("Oncology", ""))?;
        groups::add(tx, &by, here, group, id(12))
    })
    .unwrap();
    let with = |set: fn(&mut Wanted)| {
        let mut wanted = Wanted::default();
        set(&mut wanted);
        everybody(&lab, &owner, &wanted)
    };
    assert_eq!(with(|_| {}), [12, 11, 10]);
    assert_eq!(with(|it| it.search = Some("SOMEBODY p11".into())), [11]);
    assert_eq!(with(|it| it.name = Some("olga".into())), [10]);
    assert_eq!(with(|it| it.email = Some("P12@example.org".into())), [12]);
    assert!(with(|it| it.email = Some("nobody@example.org".into())).is_empty());
    assert_eq!(with(|it| it.role = Some("owner".into())), [10]);
    assert_eq!(with(|it| it.group = Some("oncology".into())), [12]);
    let unknown = Wanted {
        role: Some("Wizard".into()),
        ..Wanted::default()
    };
    assert_eq!(
        word(list(&lab.view(), &owner, &unknown, None, 9).map(|_| ())),
        "not_found"
    );
}

#[test]
fn a_scientist_sees_themselves_and_nobody_else() {
    let lab = Lab::ready();
    lab.create(Some(&preset(Preset::Owner)), 11, None).unwrap();
    let scientist = lab.actor(11);
    assert_eq!(everybody(&lab, &scientist, &Wanted::default()), [11]);
    assert_eq!(
        word(user(&lab.view(), &scientist, id(OLGA)).map(|_| ())),
        "not_found"
    );
}

#[test]
fn who_is_looked_for_by_group_tells_of_no_group_that_is_not_ones_own() {
    let lab = Lab::ready();
    let owner = preset(Preset::Owner);
    lab.create(Some(&owner), 11, None).unwrap();
    let by = owner.clone();
    lab.act(move |tx, here| {
        for (number, name) in [(50, "Oncology"), (51, "Lungs")] {
            groups::create(tx, &by, here, GroupId(Uuid::from_u128(number)), (name, ""))?;
        }
        groups::add(tx, &by, here, GroupId(Uuid::from_u128(50)), id(11))
    })
    .unwrap();
    let scientist = lab.actor(11);
    let sought = |actor: &Actor, group: &str| {
        let wanted = Wanted {
            group: Some(group.to_owned()),
            ..Wanted::default()
        };
        let found = list(&lab.view(), actor, &wanted, None, 9);
        found
            .map(|(people, _)| people.len())
            .map_err(|refusal| refusal.to_string())
    };
    assert_eq!(sought(&scientist, "oncology"), Ok(1));
    let told = |group: &str| Err(format!("there is no group {group}"));
    for group in ["lungs", "hearts", "00000000-0000-0000-0000-000000000033"] {
        assert_eq!(sought(&scientist, group), told(group));
    }
    assert_eq!(sought(&owner, "lungs"), Ok(0));
    assert_eq!(sought(&owner, "hearts"), told("hearts"));
}

#[test]
fn pages_of_people_follow_each_other() {
    let lab = Lab::ready();
    for number in 11..16 {
        lab.create(Some(&preset(Preset::Owner)), number, None).unwrap();
    }
    let (view, owner) = (lab.view(), preset(Preset::Owner));
    let (mut seen, mut place): (Vec<u128>, Option<listing::Place>) = (Vec::new(), None);
    loop {
        let (people, next) = list(&view, &owner, &Wanted::default(), place, 4).unwrap();
        seen.extend(people.iter().map(|person| person.object.id.as_u128()));
        place = next;
        if place.is_none() {
            break;
        }
    }
    assert_eq!(seen, [15, 14, 13, 12, 11, 10]);
}

#[test]
fn a_changed_role_counts_at_once() {
    let lab = Lab::ready();
    let owner = lab.actor(OLGA);
    lab.create(Some(&owner), 11, None).unwrap();
    lab.sign_in(11, "open").unwrap();
    assert!(!lab.who("open").unwrap().may(Permission::TriageRequests));
    let officer = || Change {
        role: Some("Compliance Officer".into()),
        ..Change::default()
    };
    let changed = lab.administer(&owner, 11, officer()).unwrap();
    assert_eq!(role_of(&changed), "Compliance Officer");
    assert!(lab.who("open").unwrap().may(Permission::TriageRequests));
    // An edit of the role itself counts as well.
    let by = owner.clone();
    lab.act(move |tx, here| {
        let id = Preset::ComplianceOfficer.id();
        roles::change(tx, &by, here, id, None, Some([Permission::ReadAudit].into()))
    })
    .unwrap();
    let now = lab.who("open").unwrap();
    assert!(now.may(Permission::ReadAudit) && !now.may(Permission::TriageRequests));
    let holders = lab.view().range_from(&HOLDERS, None, 10).unwrap();
    assert_eq!(
        holders.len(),
        2,
        "a role given in place of another leaves no trace of it"
    );
}

#[test]
fn whoever_is_deactivated_is_out_at_once_and_can_come_back() {
    let lab = Lab::ready();
    let owner = lab.actor(OLGA);
    lab.create(Some(&owner), 11, None).unwrap();
    lab.sign_in(11, "open").unwrap();
    let active = |on: bool| Change {
        active: Some(on),
        ..Change::default()
    };
    lab.administer(&owner, 11, active(false)).unwrap();
    assert!(lab.who("open").is_none());
    assert_eq!(word(lab.sign_in(11, "again")), "sign_in_refused");
    assert!(
        roles::holders(&lab.view(), Permission::SubmitRequests)
            .unwrap()
            .iter()
            .all(|user| *user != id(11))
    );
    lab.administer(&owner, 11, active(true)).unwrap();
    assert!(
        lab.who("open").is_none(),
        "the old session does not come back with them"
    );
    assert!(lab.sign_in(11, "again").is_ok());
    assert_eq!(word(lab.administer(&owner, OLGA, active(false))), "last_owner");
}

#[test]
fn the_last_owner_stays_and_administrators_do_not_touch_owners() {
    let lab = Lab::ready();
    let owner = lab.actor(OLGA);
    lab.create(Some(&owner), 11, Some("Administrator")).unwrap();
    let administrator = lab.actor(11);
    let demoted = || Change {
        role: Some("User".into()),
        ..Change::default()
    };
    let delete = |actor: &Actor, number: u128| {
        let actor = actor.clone();
        lab.act(move |tx, here| delete_user(tx, &actor, here, id(number)))
    };
    assert_eq!(word(lab.administer(&administrator, OLGA, demoted())), "denied");
    assert_eq!(word(delete(&administrator, OLGA)), "denied");
    assert_eq!(word(lab.administer(&owner, OLGA, demoted())), "last_owner");
    assert_eq!(word(delete(&owner, OLGA)), "last_owner");
    lab.create(Some(&owner), 12, Some("Owner")).unwrap();
    assert!(lab.administer(&owner, OLGA, demoted()).is_ok());
}

#[test]
fn nobody_raises_themselves() {
    let lab = Lab::ready();
    let owner = lab.actor(OLGA);
    lab.create(Some(&owner), 11, Some("Administrator")).unwrap();
    let administrator = lab.actor(11);
    let raised = Change {
        role: Some("Owner".into()),
        ..Change::default()
    };
    assert_eq!(word(lab.administer(&administrator, 11, raised)), "denied");
    let by = administrator.clone();
    let made = lab.act(move |tx, here| {
        let all = Permission::ALL.into();
        roles::create(tx, &by, here, RoleId(Uuid::from_u128(9)), ("Mine", all))
    });
    assert_eq!(word(made), "denied");
}

#[test]
fn a_deleted_account_leaves_nothing_that_signs_in() {
    let lab = Lab::ready();
    let owner = lab.actor(OLGA);
    lab.create(Some(&owner), 11, None).unwrap();
    lab.sign_in(11, "open").unwrap();
    let by = owner.clone();
    lab.act(move |tx, here| {
        let group = GroupId(Uuid::from_u128(50));
        groups::create(tx, &by, here, group, ("Oncology", ""))?;
        groups::add(tx, &by, here, group, id(11))?;
        delete_user(tx, &by, here, id(11))
    })
    .unwrap();
    assert!(lab.who("open").is_none());
    assert_eq!(word(lab.sign_in(11, "again")), "sign_in_refused");
    assert!(credentials(&lab.view(), "p11@example.org").unwrap().is_none());
    assert!(lab.view().range_from(&MEMBERS, None, 10).unwrap().is_empty());
    assert_eq!(everybody(&lab, &owner, &Wanted::default()), [OLGA]);
    // The address is free again.
    let again = NewUser {
        id: id(13),
        profile: profile("Again", "p11@example.org"),
        credentials: password("-"),
        role: None,
    };
    assert!(
        lab.act(move |tx, here| create_user(tx, here, Some(&owner), &again))
            .is_ok()
    );
}

#[test]
fn people_change_their_profile_and_nothing_else() {
    let lab = Lab::ready();
    let olga = lab.actor(OLGA);
    let change = |change: ProfileChange| {
        let by = olga.clone();
        lab.act(move |tx, here| change_profile(tx, &by, here, &change))
    };
    let changed = change(ProfileChange {
        institution: Some("Institute".into()),
        email: Some("olga@example.net".into()),
        ..ProfileChange::default()
    })
    .unwrap();
    let Body::User(user) = &changed.object.body else {
        panic!("not a person")
    };
    assert_eq!(
        (user.name.as_str(), user.institution.as_str()),
        ("Olga", "Institute")
    );
    assert!(credentials(&lab.view(), "olga@example.org").unwrap().is_none());
    assert!(credentials(&lab.view(), "olga@example.net").unwrap().is_some());
    assert!(matches!(
        change(ProfileChange {
            website: Some("javascript:alert(1)".into()),
            ..ProfileChange::default()
        }),
        Err(Refusal::Invalid(_))
    ));
}

#[test]
fn a_role_is_made_used_and_deleted() {
    let lab = Lab::ready();
    let owner = lab.actor(OLGA);
    let clerk = RoleId(Uuid::from_u128(60));
    let act = |act: fn(&mut Tx<'_>, &Here, &Actor, RoleId) -> Result<(), Refusal>| {
        let by = owner.clone();
        lab.act(move |tx, here| act(tx, here, &by, clerk))
    };
    act(|tx, here, by, id| {
        roles::create(tx, by, here, id, ("Clerk", [Permission::TriageRequests].into())).map(|_| ())
    })
    .unwrap();
    let twice = act(|tx, here, by, _| {
        let other = RoleId(Uuid::from_u128(61));
        roles::create(tx, by, here, other, ("compliance-officer", [].into())).map(|_| ())
    });
    assert_eq!(word(twice), "name_taken");
    lab.create(Some(&owner), 11, Some("clerk")).unwrap();
    let delete = || act(|tx, here, by, id| roles::delete(tx, by, here, id));
    assert_eq!(word(delete()), "role_in_use");
    lab.administer(
        &owner,
        11,
        Change {
            role: Some("User".into()),
            ..Change::default()
        },
    )
    .unwrap();
    delete().unwrap();
    assert_eq!(word(delete()), "not_found");
    let owners = act(|tx, here, by, _| roles::delete(tx, by, here, Preset::Owner.id()));
    assert_eq!(word(owners), "owners_role");
}

#[test]
fn groups_decide_who_sees_a_dataset() {
    let lab = Lab::ready();
    let owner = lab.actor(OLGA);
    lab.create(Some(&owner), 11, None).unwrap();
    let by = owner.clone();
    lab.act(move |tx, here| {
        let group = GroupId(Uuid::from_u128(50));
        groups::create(tx, &by, here, group, ("Oncology", "Those who study tumours"))
    })
    .unwrap();
    assert!(lab.actor(11).groups.is_empty());
    let wanted = |groups: &[&str]| Change {
        groups: Some(groups.iter().map(|it| (*it).to_owned()).collect()),
        ..Change::default()
    };
    lab.administer(&owner, 11, wanted(&["ONCOLOGY"])).unwrap();
    assert_eq!(lab.actor(11).groups, ["oncology".to_owned()].into());
    assert_eq!(word(lab.administer(&owner, 11, wanted(&["Lungs"]))), "not_found");
    lab.administer(&owner, 11, wanted(&[])).unwrap();
    assert!(lab.actor(11).groups.is_empty());
    let by = lab.actor(11);
    let denied =
        lab.act(move |tx, here| groups::create(tx, &by, here, GroupId(Uuid::from_u128(51)), ("Own", "")));
    assert_eq!(word(denied), "denied");
}

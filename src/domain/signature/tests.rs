use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::domain::code::Code;
use crate::domain::id::{AssetId, CodeId, ProjectId, ReleaseId, RequestId, UserId};
use crate::domain::policy::{Binding, InputPolicy, OutputPolicy};
use crate::domain::request::{Open, Request, Subject};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/signatures/vectors.json")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn code_of(vector: &Value) -> Code {
    let given = &vector["code"];
    let bindings = given["input_policy"].as_object().unwrap().iter();
    let bindings = bindings.map(|(name, binding)| {
        let binding = match binding["asset"].as_str() {
            Some(asset) => Binding::Asset(asset.parse().unwrap()),
            None => Binding::Constant(binding["constant"].to_string()),
        };
        (name.clone(), binding)
    });
    let output = match given["output_policy"]["execute_count"].as_u64() {
        Some(count) => OutputPolicy::ExecuteCount(u32::try_from(count).unwrap()),
        None => OutputPolicy::SingleExecution,
    };
    Code::new(
        text(&given["name"]),
        text(&vector["author"]).parse().unwrap(),
        text(&given["source"]),
        text(&given["entry_point"]),
        InputPolicy::exact_match(bindings.collect()).unwrap(),
        output,
    )
    .unwrap()
}

fn request_of(given: &Value) -> Request {
    Request {
        subject: Subject::Run {
            project: text(&given["project"]).parse().unwrap(),
            code: text(&given["code"]).parse().unwrap(),
            runs_wanted: u32::try_from(given["runs_wanted"].as_u64().unwrap()).unwrap(),
        },
        requester: text(&given["requester"]).parse().unwrap(),
        reason: text(&given["reason"]).to_owned(),
        withdrawn: given["withdrawn"].as_bool().unwrap(),
        predecessor: given["predecessor"].as_str().map(|id| id.parse().unwrap()),
        signature: None,
    }
}

#[test]
fn the_worked_examples_hold() {
    let all = vectors();
    let seed = HEXLOWER.decode(text(&all["secret_key"]).as_bytes()).unwrap();
    let secret = SigningKey::from_bytes(&seed.try_into().unwrap());
    let key = VerifyKey::from(&secret);
    assert_eq!(key.to_string(), text(&all["verify_key"]));
    assert_eq!(key.fingerprint().to_string(), text(&all["fingerprint"]));
    let same = |vector: &Value, statement: &Statement| {
        let what = text(&vector["what"]);
        let bytes = HEXLOWER.encode(statement.as_bytes());
        assert_eq!(bytes, text(&vector["statement"]), "{what}");
        let signature: SignatureBytes = text(&vector["signature"]).parse().unwrap();
        assert_eq!(statement.sign(&secret), signature, "{what}");
        assert!(key.verifies(statement, &signature), "{what}");
    };
    let user = text(&all["key"]["user"]).parse().unwrap();
    same(&all["key"], &Statement::of_key(user, &key));
    let mut codes = BTreeMap::new();
    for vector in all["codes"].as_array().unwrap() {
        let code = code_of(vector);
        same(vector, &Statement::of_code(&code));
        codes.insert(text(&vector["what"]), code);
    }
    let requests = all["requests"].as_array().unwrap();
    assert_eq!((codes.len(), requests.len()), (2, 4));
    for vector in requests {
        let (id, number) = (
            text(&vector["request"]["id"]).parse().unwrap(),
            vector["revision"].as_u64().unwrap(),
        );
        let (request, code) = (request_of(&vector["request"]), &codes[text(&vector["code"])]);
        same(vector, &Statement::of_request(id, number, &request, code));
    }
}

#[test]
fn the_documented_example_is_the_vector() {
    let document = include_str!("../../../docs/SIGNATURES.md");
    let block = |after: &str| -> String {
        let (_, rest) = document.split_once(after).unwrap();
        let lines = rest.split("```").nth(1).unwrap().trim().lines();
        lines.filter_map(|line| line.split_whitespace().next()).collect()
    };
    let all = vectors();
    assert_eq!(block("in hexadecimal:"), text(&all["key"]["statement"]));
    assert_eq!(block("and its signature:"), text(&all["key"]["signature"]));
    assert!(document.contains(text(&all["fingerprint"])));
    for context in [statement::VERIFY_KEY, statement::CODE, statement::REQUEST] {
        assert!(document.contains(&format!("`{context}`")), "{context}");
    }
}

/// Every point of small order, in each of its encodings, and encodings of other points with y past the field's order.
#[test]
fn weak_and_oddly_encoded_keys_are_refused() {
    let refused = [
        // (0, 1), the identity; the same with the sign bit set; y = p + 1.
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        // (0, -1), of order 2, with either sign bit.
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        // y = 0, of order 4, with either sign bit, and as y = p.
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        // The four of order 8.
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ];
    for text in refused {
        assert!(
            matches!(
                text.parse::<VerifyKey>(),
                Err(NotAVerifyKey::Weak | NotAVerifyKey::NotAPoint)
            ),
            "{text}"
        );
    }
    // y = p + k for the small k that there are: points of the curve, some of them strong, but not in their one encoding.
    let mut decompressed = 0;
    for low in 0xeeu8..=0xff {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (low, 0x7f);
        decompressed += u32::from(VerifyingKey::from_bytes(&bytes).is_ok());
        assert!(VerifyKey::from_bytes(&bytes).is_err(), "{low:x}");
    }
    assert!(
        decompressed > 1,
        "the library takes such encodings, so this checks something"
    );
}

#[test]
fn keys_and_signatures_are_written_in_two_ways_and_no_third() {
    let secret = SigningKey::from_bytes(&[7; 32]);
    let key = VerifyKey::from(&secret);
    let hex = key.to_string();
    for form in [
        hex.clone(),
        hex.to_uppercase(),
        BASE64URL_NOPAD.encode(key.as_bytes()),
    ] {
        assert_eq!(form.parse(), Ok(key), "{form}");
    }
    for wrong in [
        "",
        &hex[1..],
        &format!(" {hex}"),
        &format!("{hex}00"),
        &data_encoding::BASE64.encode(key.as_bytes()),
    ] {
        assert_eq!(wrong.parse::<VerifyKey>(), Err(NotAVerifyKey::Text), "{wrong}");
    }
    let signature = Statement::of_key(UserId(Uuid::from_u128(1)), &key).sign(&secret);
    for form in [signature.to_string(), BASE64URL_NOPAD.encode(&signature.0)] {
        assert_eq!(form.parse(), Ok(signature), "{form}");
    }
    assert_eq!(hex.parse::<SignatureBytes>(), Err(NotASignature));
    let whole = Signature {
        key,
        bytes: signature,
    };
    let json = serde_json::to_value(whole).unwrap();
    assert_eq!(json["key"], hex);
    assert_eq!(serde_json::from_value::<Signature>(json).unwrap(), whole);
    let mut cbor = Vec::new();
    ciborium::into_writer(&whole, &mut cbor).unwrap();
    assert_eq!(ciborium::from_reader::<Signature, _>(&cbor[..]).unwrap(), whole);
    assert!(
        key.fingerprint()
            .is(&key.fingerprint().to_string().replace(' ', ""))
    );
    assert!(!key.fingerprint().is(""));
}

/// What a signature covers is all that travels, but the hash (which is computed) and the signature itself. A field that is
/// added must be thought of here: what is not covered, a broken-into low side can change.
#[test]
fn every_field_is_covered() {
    let names = |value: &Value| {
        let fields = value.as_object().unwrap();
        fields.keys().cloned().collect::<BTreeSet<_>>()
    };
    let (code, request) = (a_code(), a_request());
    let code_fields = [
        "author",
        "entry_point",
        "hash",
        "input_policy",
        "name",
        "output_policy",
        "source",
    ];
    assert_eq!(
        names(&serde_json::to_value(&code).unwrap()),
        code_fields.map(str::to_owned).into()
    );
    let request_fields = [
        "code",
        "predecessor",
        "project",
        "reason",
        "requester",
        "runs_wanted",
        "withdrawn",
    ];
    assert_eq!(
        names(&serde_json::to_value(&request).unwrap()),
        request_fields.map(str::to_owned).into()
    );
}

fn a_code() -> Code {
    let bindings = [
        ("table".to_owned(), Binding::Asset(AssetId(Uuid::from_u128(5)))),
        ("n".to_owned(), Binding::Constant("3".to_owned())),
    ];
    Code::new(
        "means",
        UserId(Uuid::from_u128(1)),
        "def f(table, n): ...",
        "f",
        InputPolicy::exact_match(bindings.into()).unwrap(),
        OutputPolicy::ExecuteCount(2),
    )
    .unwrap()
}

fn a_request() -> Request {
    let id = Uuid::from_u128;
    Request::new(ProjectId(id(2)), CodeId(id(3)), UserId(id(1)), "to learn", None).unwrap()
}

/// What only a request for a run has.
fn run_of(request: &mut Request) -> (&mut ProjectId, &mut CodeId, &mut u32) {
    match &mut request.subject {
        Subject::Run {
            project,
            code,
            runs_wanted,
        } => (project, code, runs_wanted),
        other => panic!("{other:?}"),
    }
}

type Change = (
    &'static str,
    fn(&mut RequestId, &mut u64, &mut Request, &mut Code),
);

/// Everything that somebody could change under a signature.
const CHANGES: &[Change] = &[
    ("the id", |id, _, _, _| id.0 = Uuid::from_u128(99)),
    ("the revision", |_, number, _, _| *number += 1),
    ("the project", |_, _, request, _| {
        run_of(request).0.0 = Uuid::from_u128(99);
    }),
    ("the requester", |_, _, request, _| {
        request.requester.0 = Uuid::from_u128(99);
    }),
    ("the code's id", |_, _, request, _| {
        run_of(request).1.0 = Uuid::from_u128(99);
    }),
    ("the reason", |_, _, request, _| request.reason.push('!')),
    ("the reason's end", |_, _, request, _| request.reason.clear()),
    ("the runs", |_, _, request, _| *run_of(request).2 += 1),
    ("its withdrawal", |_, _, request, _| {
        request.withdrawn = !request.withdrawn;
    }),
    ("the predecessor", |_, _, request, _| {
        request.predecessor = Some(RequestId(Uuid::from_u128(99)));
    }),
    ("the code's author", |_, _, _, code| {
        code.author.0 = Uuid::from_u128(99);
    }),
    ("the code's name", |_, _, _, code| code.name.push('2')),
    ("the source", |_, _, _, code| code.source.push('\n')),
    ("the entry point", |_, _, _, code| code.entry_point.push('2')),
    ("a parameter's name", |_, _, _, code| {
        let bound = code.input_policy.parameters.remove("n").unwrap();
        code.input_policy.parameters.insert("m".to_owned(), bound);
    }),
    ("a constant", |_, _, _, code| {
        let four = Binding::Constant("4".to_owned());
        code.input_policy.parameters.insert("n".to_owned(), four);
    }),
    ("an asset", |_, _, _, code| {
        let other = Binding::Asset(AssetId(Uuid::from_u128(99)));
        code.input_policy.parameters.insert("table".to_owned(), other);
    }),
    ("a parameter more", |_, _, _, code| {
        let more = Binding::Constant("1".to_owned());
        code.input_policy.parameters.insert("more".to_owned(), more);
    }),
    ("the number of runs", |_, _, _, code| {
        code.output_policy = OutputPolicy::ExecuteCount(3);
    }),
    ("the output policy", |_, _, _, code| {
        code.output_policy = OutputPolicy::SingleExecution;
    }),
];

#[test]
fn any_change_breaks_the_signature() {
    let secret = SigningKey::from_bytes(&[7; 32]);
    let key = VerifyKey::from(&secret);
    let id = RequestId(Uuid::from_u128(4));
    let code_statement = Statement::of_code(&a_code());
    let statement = Statement::of_request(id, 1, &a_request(), &a_code());
    let (on_code, on_request) = (code_statement.sign(&secret), statement.sign(&secret));
    assert!(key.verifies(&code_statement, &on_code) && key.verifies(&statement, &on_request));
    assert!(!key.verifies(&statement, &on_code) && !key.verifies(&code_statement, &on_request));
    for (what, change) in CHANGES {
        let (mut id, mut number, mut request, mut code) = (id, 1, a_request(), a_code());
        change(&mut id, &mut number, &mut request, &mut code);
        let changed = Statement::of_request(id, number, &request, &code);
        assert!(!key.verifies(&changed, &on_request), "{what}");
        let of_code = Statement::of_code(&code);
        assert_eq!(key.verifies(&of_code, &on_code), code == a_code(), "{what}");
    }
}

/// Every part of a request to see, in its place, and any change of it breaks the signature.
#[test]
fn a_request_to_see_is_signed_under_a_context_of_its_own() {
    let id = |number| Uuid::from_u128(number);
    let subject = Subject::SeePrivate {
        project: ProjectId(id(2)),
        asset: AssetId(id(5)),
    };
    let request = Request::of(subject, UserId(id(1)), "to compare", Some(RequestId(id(6)))).unwrap();
    let statement = Statement::of_request_to_see(RequestId(id(4)), 1, &request).unwrap();
    let mut expected = b"poundlock v1 signed request to see\0".to_vec();
    let ids = [4, 1, 2, 5, 6].map(|number| id(number).to_string());
    for part in [
        ids[0].as_str(),
        "1",
        &ids[1],
        &ids[2],
        "private_data",
        &ids[3],
        "to compare",
        "no",
        &ids[4],
    ] {
        expected.extend((part.len() as u64).to_le_bytes());
        expected.extend(part.as_bytes());
    }
    assert_eq!(statement.as_bytes(), expected);
    assert_eq!(
        Statement::of_request(RequestId(id(4)), 1, &request, &a_code()),
        statement,
        "code counts for nothing"
    );
    assert_eq!(
        Statement::of_request_to_see(RequestId(id(4)), 1, &a_request()),
        None
    );

    let mut statements = vec![statement];
    let changes: [fn(&mut Request); 7] = [
        |request| request.reason.push('!'),
        |request| request.withdrawn = true,
        |request| request.predecessor = None,
        |request| request.requester.0 = Uuid::from_u128(99),
        |request| request.subject = Subject::SeeOpen(Open::Mock(AssetId(Uuid::from_u128(5)))),
        |request| request.subject = Subject::SeeOpen(Open::Release(ReleaseId(Uuid::from_u128(5)))),
        |request| {
            request.subject = Subject::SeePrivate {
                project: ProjectId(Uuid::from_u128(99)),
                asset: AssetId(Uuid::from_u128(5)),
            };
        },
    ];
    for change in changes {
        let mut changed = request.clone();
        change(&mut changed);
        statements.extend(Statement::of_request_to_see(RequestId(id(4)), 1, &changed));
    }
    statements.extend(Statement::of_request_to_see(RequestId(id(4)), 2, &request));
    statements.extend(Statement::of_request_to_see(RequestId(id(9)), 1, &request));
    for (at, one) in statements.iter().enumerate() {
        assert!(!statements[..at].contains(one), "{at}");
    }
    assert_eq!(statements.len(), 10);
}

proptest! {
    /// No two lists of parts run together to the same bytes, whatever is in them.
    #[test]
    fn different_requests_are_different_statements(
        one in ("[a-z\u{0}ä ]{0,6}", "[a-z ]{0,6}", 1u32..12, any::<bool>(), 1u64..12),
        other in ("[a-z\u{0}ä ]{0,6}", "[a-z ]{0,6}", 1u32..12, any::<bool>(), 1u64..12),
    ) {
        let of = |(reason, name, runs, withdrawn, number): &(String, String, u32, bool, u64)| {
            let mut request = Request { reason: reason.clone(), withdrawn: *withdrawn, ..a_request() };
            *run_of(&mut request).2 = *runs;
            let code = Code { name: name.clone(), ..a_code() };
            Statement::of_request(RequestId(Uuid::from_u128(4)), *number, &request, &code)
        };
        prop_assert_eq!(of(&one) == of(&other), one == other);
    }

    /// Flipping any bit of a signature, or of the key, makes it fail.
    #[test]
    fn a_damaged_signature_fails(bit in 0usize..512, seed in any::<[u8; 32]>()) {
        let secret = SigningKey::from_bytes(&seed);
        let statement = Statement::of_code(&a_code());
        let key = VerifyKey::from(&secret);
        let mut bytes = statement.sign(&secret);
        prop_assert!(key.verifies(&statement, &bytes));
        prop_assert_eq!(VerifyKey::from_bytes(key.as_bytes()), Ok(key));
        bytes.0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!key.verifies(&statement, &bytes));
    }
}

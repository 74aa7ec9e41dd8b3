//! ERC-7007: minted by answers, changed and burnt with them, and verified only if they are final.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall, SolConstructor, SolValue, sol};
use opml_contracts::{
    HostError,
    abi::{
        AIOracle,
        AigcCollection::{self, CollectionTerms},
    },
};

use crate::{
    dispute::world::{Outcome, STRANGER, refused},
    oracle::world::{ALICE, BOB, CAROL, INPUT, OWNER, Oracle, RIGHT, TTL, WRONG, events},
};

sol!(
    #[derive(Debug)]
    FaultyCollection,
    "artifacts/test/FaultyCollection.json"
);

pub(crate) const SALT: B256 = B256::repeat_byte(0x33);
const GAS: u64 = 600_000;
const ROYALTY: u16 = 500;

pub(crate) struct Collection {
    pub(crate) oracle: Oracle,
    pub(crate) at: Address,
}

pub(crate) fn token_id(prompt: &[u8]) -> U256 {
    keccak256(prompt).into()
}

impl Collection {
    pub(crate) fn new(gas: u64) -> Self {
        let mut oracle = Oracle::new();
        let terms = CollectionTerms {
            name: "Pictures".to_owned(),
            symbol: "P".to_owned(),
            royalty: alloy_primitives::aliases::U96::from(ROYALTY),
            callbackGas: gas,
        };
        let args =
            AigcCollection::constructorCall { terms, oracle: oracle.at, modelId: oracle.model, royaltyReceiver: OWNER };
        let at = oracle.world.host.deploy(STRANGER, &AigcCollection::BYTECODE, &args.abi_encode()).unwrap();
        Self { oracle, at }
    }

    pub(crate) fn send<C: SolCall>(&mut self, from: Address, value: U256, call: &C) -> Result<C::Return, HostError> {
        self.oracle.world.host.send(from, self.at, value, call).map(|(value, _)| value)
    }

    fn outcome<C: SolCall>(&mut self, from: Address, call: &C) -> Outcome {
        self.oracle.world.host.send(from, self.at, U256::ZERO, call).map(|(_, receipt)| receipt)
    }

    pub(crate) fn view<C: SolCall>(&mut self, call: &C) -> C::Return {
        self.oracle.world.host.view(self.at, call).unwrap()
    }

    pub(crate) fn commit(&mut self, by: Address, prompt: &[u8]) {
        let commitment = keccak256((by, keccak256(prompt), SALT).abi_encode());
        self.send(by, U256::ZERO, &AigcCollection::commitPromptCall { commitment }).unwrap();
    }

    pub(crate) fn mint(&mut self, by: Address, prompt: &[u8]) -> Result<U256, HostError> {
        let fee = self.view(&AigcCollection::mintFeeCall {});
        let call = AigcCollection::mintCall { prompt_: Bytes::copy_from_slice(prompt), salt: SALT };
        self.send(by, fee, &call)
    }

    /// Commits and mints; gives the request.
    pub(crate) fn minted(&mut self, by: Address) -> U256 {
        self.commit(by, &INPUT);
        self.mint(by, &INPUT).unwrap()
    }

    pub(crate) fn owner(&mut self) -> Option<Address> {
        let call = AigcCollection::ownerOfCall { tokenId: token_id(&INPUT) };
        self.oracle.world.host.view(self.at, &call).ok()
    }

    pub(crate) fn verify(&mut self, prompt: &[u8], data: &[u8]) -> bool {
        self.view(&AigcCollection::verifyCall {
            prompt_: Bytes::copy_from_slice(prompt),
            aigcData: Bytes::copy_from_slice(data),
            _2: Bytes::new(),
        })
    }

    fn data(&mut self) -> Bytes {
        self.view(&AigcCollection::aigcDataOfCall { tokenId_: token_id(&INPUT) })
    }
}

#[test]
fn a_token_is_minted_with_the_first_answer_and_verified_with_the_final_one() {
    let mut collection = Collection::new(GAS);
    let id = collection.minted(ALICE);
    assert_eq!(collection.owner(), None);
    let claim = collection.oracle.claim(BOB, id, RIGHT);
    let outcome = collection.oracle.answer(id, &claim, RIGHT);
    let logged = events::<AigcCollection::AigcData>(&outcome);
    assert_eq!((logged[0].prompt, logged[0].aigcData), (keccak256(INPUT), keccak256(RIGHT)));
    assert_eq!((collection.owner(), collection.data()), (Some(ALICE), RIGHT.into()));
    assert!(!collection.verify(&INPUT, RIGHT), "pending");
    collection.oracle.stands(&claim);
    assert!(!collection.verify(&INPUT, RIGHT), "nobody told the oracle");
    collection.oracle.update(STRANGER, id, RIGHT).unwrap();
    assert!(collection.verify(&INPUT, RIGHT));
    assert!(!collection.verify(&INPUT, WRONG) && !collection.verify(&INPUT, &[]));
    assert!(!collection.verify(&[3, 2, 1], RIGHT) && !collection.verify(&[], RIGHT));

    let token = token_id(&INPUT);
    assert_eq!(collection.view(&AigcCollection::tokenIdCall { prompt_: INPUT.into() }), token);
    // The binding decodes strings as UTF-8; these bytes are.
    let prompt = collection.view(&AigcCollection::promptCall { tokenId_: token });
    assert_eq!(prompt.as_bytes(), INPUT);
    let uri = collection.view(&AigcCollection::tokenURICall { tokenId_: token });
    assert!(uri.starts_with("data:application/json;base64,"));
}

#[test]
fn an_answer_that_falls_is_replaced() {
    let mut collection = Collection::new(GAS);
    let id = collection.minted(ALICE);
    let lie = collection.oracle.answers(CAROL, id, WRONG);
    assert_eq!(collection.data(), Bytes::from(WRONG));
    let right = collection.oracle.answers(BOB, id, RIGHT);
    collection.oracle.fell(&lie);
    collection.oracle.stands(&right);
    assert!(!collection.verify(&INPUT, WRONG) && !collection.verify(&INPUT, RIGHT));
    let outcome = collection.oracle.update(STRANGER, id, RIGHT);
    assert_eq!(events::<AigcCollection::Update>(&outcome).len(), 1);
    assert_eq!(collection.data(), Bytes::from(RIGHT));
    assert!(!collection.verify(&INPUT, WRONG) && collection.verify(&INPUT, RIGHT));
}

#[test]
fn an_answer_that_is_taken_back_burns_the_token_and_frees_the_prompt() {
    let mut collection = Collection::new(GAS);
    let id = collection.minted(ALICE);
    let lie = collection.oracle.answers(CAROL, id, WRONG);
    assert_eq!(collection.owner(), Some(ALICE));
    collection.oracle.fell(&lie);
    collection.oracle.world.pass(TTL);
    collection.oracle.refund(id).unwrap();
    assert_eq!(collection.owner(), None);
    assert_eq!(collection.oracle.credit(ALICE), U256::from(crate::oracle::world::FEE), "the fee is the minter's");
    let again = collection.minted(BOB);
    assert_eq!(again, id + U256::from(1));
    collection.oracle.answers(CAROL, again, RIGHT);
    assert_eq!(collection.owner(), Some(BOB));
}

#[test]
fn a_prompt_nobody_answered_is_free_after_the_refund() {
    let mut collection = Collection::new(GAS);
    let id = collection.minted(ALICE);
    collection.commit(BOB, &INPUT);
    assert!(collection.mint(BOB, &INPUT).unwrap_err().is::<AigcCollection::PromptTaken>());
    collection.oracle.world.pass(TTL);
    collection.oracle.refund(id).unwrap();
    collection.mint(BOB, &INPUT).unwrap();
}

#[test]
fn a_prompt_is_announced_before_it_is_shown() {
    let mut collection = Collection::new(GAS);
    assert!(collection.mint(ALICE, &INPUT).unwrap_err().is::<AigcCollection::NoCommitment>());
    collection.oracle.world.host.hold_block(true);
    collection.commit(ALICE, &INPUT);
    assert!(collection.mint(ALICE, &INPUT).unwrap_err().is::<AigcCollection::CommitmentTooYoung>());
    collection.oracle.world.host.hold_block(false);
    // Who sees the prompt in Alice's transaction has no commitment of a block before.
    collection.oracle.world.host.hold_block(true);
    collection.commit(CAROL, &INPUT);
    assert!(collection.mint(CAROL, &INPUT).unwrap_err().is::<AigcCollection::CommitmentTooYoung>());
    collection.mint(ALICE, &INPUT).unwrap();
    collection.oracle.world.host.hold_block(false);
    assert!(collection.mint(CAROL, &INPUT).unwrap_err().is::<AigcCollection::PromptTaken>());
    // Committing again makes a commitment no younger.
    collection.commit(CAROL, &[9, 9, 9]);
    collection.oracle.world.host.hold_block(true);
    collection.commit(CAROL, &[9, 9, 9]);
    collection.mint(CAROL, &[9, 9, 9]).unwrap();
}

#[test]
fn only_the_oracle_calls_back() {
    let mut collection = Collection::new(GAS);
    let id = collection.minted(ALICE);
    let call = AigcCollection::aiOracleCallbackCall { requestId: id, output: RIGHT.into(), _2: Bytes::new() };
    refused::<AigcCollection::UnauthorizedCallbackSource>(collection.outcome(ALICE, &call));
    // A request that is none of the collection's brings it nothing.
    let at = collection.at;
    let foreign = collection.oracle.ask(CAROL, at, GAS);
    let outcome = {
        let claim = collection.oracle.claim(CAROL, foreign, WRONG);
        collection.oracle.answer(foreign, &claim, WRONG)
    };
    assert!(!events::<AIOracle::Delivered>(&outcome)[0].succeeded);
    assert_eq!(collection.owner(), None);
}

#[test]
fn what_a_failed_callback_left_out_anybody_brings() {
    let mut collection = Collection::new(30_000); // far too little
    let id = collection.minted(ALICE);
    let token = token_id(&INPUT);
    let add = |prompt: &[u8], data: &[u8]| AigcCollection::addAigcDataCall {
        tokenId_: token,
        prompt_: Bytes::copy_from_slice(prompt),
        aigcData: Bytes::copy_from_slice(data),
        proof: Bytes::new(),
    };
    let update =
        |data: &[u8]| AigcCollection::updateCall { prompt_: INPUT.into(), aigcData: Bytes::copy_from_slice(data) };
    refused::<AigcCollection::NotTheAnswer>(collection.outcome(STRANGER, &add(&INPUT, RIGHT)));
    let lie = collection.oracle.answers(CAROL, id, WRONG);
    assert_eq!(collection.owner(), None);
    refused::<AigcCollection::NotThePrompt>(collection.outcome(STRANGER, &add(&[7], WRONG)));
    refused::<AigcCollection::NotTheAnswer>(collection.outcome(STRANGER, &add(&INPUT, RIGHT)));
    collection.outcome(STRANGER, &add(&INPUT, WRONG)).unwrap();
    assert_eq!(collection.owner(), Some(ALICE));
    refused::<AigcCollection::HasContent>(collection.outcome(STRANGER, &add(&INPUT, WRONG)));
    let right = collection.oracle.answers(BOB, id, RIGHT);
    collection.oracle.fell(&lie);
    collection.oracle.stands(&right);
    refused::<AigcCollection::NotTheAnswer>(collection.outcome(STRANGER, &update(RIGHT)));
    collection.oracle.update(STRANGER, id, RIGHT).unwrap();
    assert_eq!(collection.data(), Bytes::from(WRONG), "the callback has failed");
    refused::<AigcCollection::NotTheAnswer>(collection.outcome(STRANGER, &update(WRONG)));
    collection.outcome(STRANGER, &update(RIGHT)).unwrap();
    refused::<AigcCollection::SameContent>(collection.outcome(STRANGER, &update(RIGHT)));
    assert!(collection.verify(&INPUT, RIGHT));
}

#[test]
fn what_a_failed_callback_did_not_burn_anybody_burns() {
    let mut collection = Collection::new(30_000);
    let id = collection.minted(ALICE);
    let token = token_id(&INPUT);
    let lie = collection.oracle.answers(CAROL, id, WRONG);
    let add = AigcCollection::addAigcDataCall {
        tokenId_: token,
        prompt_: INPUT.into(),
        aigcData: WRONG.into(),
        proof: Bytes::new(),
    };
    collection.outcome(STRANGER, &add).unwrap();
    let back = AigcCollection::takeBackCall { tokenId_: token };
    refused::<AigcCollection::NotTheAnswer>(collection.outcome(STRANGER, &back));
    collection.oracle.fell(&lie);
    collection.oracle.world.pass(TTL);
    collection.oracle.refund(id).unwrap();
    collection.outcome(STRANGER, &back).unwrap();
    assert_eq!(collection.owner(), None);
    refused::<AigcCollection::UnknownPrompt>(collection.outcome(STRANGER, &back));
    refused::<AigcCollection::UnknownPrompt>(collection.outcome(STRANGER, &add));
}

#[test]
fn erc_165_and_erc_2981_tell_the_truth() {
    let mut collection = Collection::new(GAS);
    let supports = |collection: &mut Collection, id: [u8; 4]| {
        collection.view(&AigcCollection::supportsInterfaceCall { id: id.into() })
    };
    // ERC-165, 721, 721 metadata, 2981, 7007, 7007 enumerable, 7007 updatable.
    for id in [0x01ff_c9a7_u32, 0x80ac_58cd, 0x5b5e_139f, 0x2a55_205a, 0x702c_55a6, 0xfa1a_557a, 0x3f37_dce2] {
        assert!(supports(&mut collection, id.to_be_bytes()), "{id:08x}");
    }
    assert!(!supports(&mut collection, [0xff; 4]) && !supports(&mut collection, 0x780e_9d63_u32.to_be_bytes()));
    let info = AigcCollection::royaltyInfoCall { tokenId: U256::from(1), salePrice: U256::from(10_000) };
    let royalty = collection.view(&info);
    assert_eq!((royalty.receiver, royalty.amount), (OWNER, U256::from(ROYALTY)));
}

#[test]
fn the_known_faults_of_collections_are_absent() {
    // The stand-in, over answers that count as final before there are any.
    let mut collection = Collection::new(GAS);
    let host = &mut collection.oracle.world.host;
    let answers = host.deploy(STRANGER, &crate::oracle::faults::FaultyOracle::BYTECODE, &[]).unwrap();
    let args = FaultyCollection::constructorCall { answers }.abi_encode();
    let faulty = host.deploy(STRANGER, &FaultyCollection::BYTECODE, &args).unwrap();
    let id = FaultyCollection::supportsInterfaceCall { interfaceId: 0x702c_55a6_u32.to_be_bytes().into() };
    assert!(!host.view(faulty, &id).unwrap(), "the fault");
    let verify = |prompt: &[u8]| FaultyCollection::verifyCall {
        prompt: Bytes::copy_from_slice(prompt),
        aigcData: Bytes::new(),
        _2: Bytes::new(),
    };
    assert!(host.view(faulty, &verify(b"never minted")).unwrap(), "the fault");
    let mint = FaultyCollection::mintCall { to: ALICE, prompt: INPUT.into() };
    host.send(STRANGER, faulty, U256::ZERO, &mint).unwrap();
    let bind = |request: u64| FaultyCollection::addAigcDataCall {
        tokenId: token_id(&INPUT),
        prompt: INPUT.into(),
        request: U256::from(request),
    };
    host.send(ALICE, faulty, U256::ZERO, &bind(0)).unwrap();
    host.send(CAROL, faulty, U256::ZERO, &bind(7)).unwrap();
    let rebound = host.view(faulty, &FaultyCollection::requestOfCall { tokenId: token_id(&INPUT) }).unwrap();
    assert_eq!(rebound, U256::from(7), "the fault");

    // Here (ids: see above).
    assert!(!collection.verify(b"never minted", &[]) && !collection.verify(&INPUT, &[]));
    let foreign = collection.oracle.ask(CAROL, Address::ZERO, 0);
    let claim = collection.oracle.answers(BOB, foreign, RIGHT);
    collection.oracle.stands(&claim);
    collection.oracle.update(STRANGER, foreign, RIGHT).unwrap();
    assert!(!collection.verify(&INPUT, RIGHT), "answered, but not minted");
    let bind = AigcCollection::addAigcDataCall {
        tokenId_: token_id(&INPUT),
        prompt_: INPUT.into(),
        aigcData: RIGHT.into(),
        proof: Bytes::new(),
    };
    refused::<AigcCollection::UnknownPrompt>(collection.outcome(CAROL, &bind));
    let id = collection.minted(ALICE);
    assert_ne!(id, U256::ZERO, "requests are numbered from 1");
    assert_eq!(collection.view(&AigcCollection::requestOfCall { tokenId_: token_id(&INPUT) }), id);
    refused::<AigcCollection::NotTheAnswer>(collection.outcome(CAROL, &bind));
    assert_eq!(collection.view(&AigcCollection::requestOfCall { tokenId_: token_id(&INPUT) }), id);
}

sol!(
    #[derive(Debug)]
    Shop,
    "artifacts/test/Shop.json"
);

#[test]
fn a_shop_sells_what_is_verified_and_pays_the_royalty() {
    let mut collection = Collection::new(GAS);
    let id = collection.minted(ALICE);
    let claim = collection.oracle.answers(BOB, id, RIGHT);
    let args = Shop::constructorCall { collection: collection.at }.abi_encode();
    let shop = collection.oracle.world.host.deploy(STRANGER, &Shop::BYTECODE, &args).unwrap();
    let token = token_id(&INPUT);
    let price = U256::from(10_000);
    collection.send(ALICE, U256::ZERO, &AigcCollection::approveCall { to: shop, tokenId: token }).unwrap();
    let offer = Shop::offerCall { tokenId: token, price };
    let buy = Shop::buyCall { prompt: INPUT.into(), content: RIGHT.into() };
    let host = &mut collection.oracle.world.host;
    assert!(host.send(BOB, shop, U256::ZERO, &offer).is_err());
    host.send(ALICE, shop, U256::ZERO, &offer).unwrap();
    assert!(host.send(CAROL, shop, price, &buy).is_err(), "the answer is pending");
    collection.oracle.stands(&claim);
    collection.oracle.update(STRANGER, id, RIGHT).unwrap();
    let host = &mut collection.oracle.world.host;
    let before = host.balance(ALICE);
    host.send(CAROL, shop, price, &buy).unwrap();
    assert_eq!((host.balance(ALICE) - before, host.balance(OWNER)), (U256::from(9_500), U256::from(500)));
    assert_eq!(collection.owner(), Some(CAROL));
}

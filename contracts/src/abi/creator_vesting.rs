use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    CreatorVesting,
    "artifacts/CreatorVesting.json"
);

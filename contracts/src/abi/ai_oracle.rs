use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    AIOracle,
    "artifacts/AIOracle.json"
);

use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    TokenDeployer,
    "artifacts/TokenDeployer.json"
);

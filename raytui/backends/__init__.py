"""Where machines come from: one module or package a provider."""

"""The screens: one module and its .tcss each."""

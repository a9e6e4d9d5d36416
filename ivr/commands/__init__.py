"""One module a command of `yihu`; each is a thin hand on what the other rooms do."""

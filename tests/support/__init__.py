"""What tests share: a scripted provider, the real server as a process of its own, tools to put into it."""

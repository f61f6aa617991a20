-- The program: it opens the shop. hotsave runs it once and keeps what it has loaded.
require "shop"

print("the shop is open")

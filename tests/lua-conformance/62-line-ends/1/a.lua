#!/usr/bin/env lua
return { n = 2 }

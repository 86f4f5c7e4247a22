#pragma once

// Cases of rules.c.
void edges(void);
void nameless(void);
void times(void);
void privileges(void);
void protection(void);
void memory_programs(void);
/// What a program from memory says of itself.
int itself(void);

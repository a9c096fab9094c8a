import * as z from 'zod';

// zod would compile a function for each schema when it is first used. A configuration is read once: compiling takes
// longer at a start than checking a thousand services without.
z.config({ jitless: true });
